package mutants

// fault is one planted fault.
type fault struct {
	name  string
	edits []edit
	pkg   string // of the test that must notice
	test  string // its name, which must be among those that fail
	sub   string // the pattern of its subtests that are run; "" is all
}

// edit replaces a text that a file has exactly once.
type edit struct{ file, from, to string }

var faults = []fault{
	{
		name: "acknowledged before the work is done",
		edits: []edit{{"workers/handle.go", "err = w.attempt(ctx, work, l, again, m.Deliveries())",
			"_ = m.Ack(ctx)\n\t\t\terr = w.attempt(ctx, work, l, again, m.Deliveries())"}},
		pkg: "./workers", test: "TestAcknowledgedLast",
	},
	{
		name: "completion stored before the rows are written",
		edits: []edit{{"workers/handle.go", "completion, err := l.load(ctx, work)",
			"early := contracts.Completion{Job: work.Job, Chunk: work.Chunk}\n\t_ = w.conclude(ctx, early, work)\n\t" +
				"completion, err := l.load(ctx, work)"}},
		pkg: "./workers", test: "TestAcknowledgedLast",
	},
	{
		name: "rejects stored after the completion",
		edits: []edit{
			{"workers/load.go", "return l.rejects.flush(ctx)", "return ctx.Err()"},
			{"workers/handle.go", "return l.dropCheckpoint(ctx)", "return l.rejects.flush(ctx)"},
		},
		pkg: "./workers", test: "TestAcknowledgedLast",
	},
	{
		name: "handed back past the lease",
		edits: []edit{{"workers/handle.go", "if !held.held() {\n\t\treturn nil\n\t}\n\treturn m.Nak(delay)",
			"return m.Nak(delay)"}},
		pkg: "./workers", test: "TestPastTheLease",
	},
	{
		name:  "the server's timestamps",
		edits: withoutTimestamps,
		pkg:   "./internal/table/cassandra", test: "TestConformance", sub: "replay_is_a_no-op",
	},
	{
		name: "the driver's timestamps",
		edits: append([]edit{{"internal/table/cassandra/connect.go", "c.DefaultTimestamp = false",
			"c.DefaultTimestamp = true"}}, withoutTimestamps...),
		pkg: "./internal/table/cassandra", test: "TestConformance", sub: "replay_is_a_no-op",
	},
	{
		name:  "one timestamp for all segments",
		edits: []edit{{"workers/merge.go", "base+g.segment", "base"}},
		pkg:   "./workers", test: "TestMergingEqualsOneRecordAtATime",
	},
	{
		name: "no merge",
		edits: []edit{{"workers/batch.go", "g := b.group(segment, row.KeyBytes()); g.last >= 0",
			"g := b.group(segment, row.KeyBytes()); g.last >= 0 && b.entries.n < 0"}},
		pkg: "./workers", test: "TestSegmentIsOneMerge",
	},
	{
		name: "the last record instead of the last set values",
		edits: []edit{{"workers/merge.go", "if b.entry(g.last).prev >= 0 {",
			"if b.entry(g.last).prev >= int32(b.entries.n) {"}},
		pkg: "./workers", test: "TestMergingEqualsOneRecordAtATime",
	},
	{
		name: "merge buffer flushed by memory instead of by plan",
		edits: []edit{{"workers/load.go", "l.batch.add(at.segment, at.part, row, rec, at.number)\n",
			"l.batch.add(at.segment, at.part, row, rec, at.number)\n" +
				"\t\tif l.batch.size >= 64<<10 {\n\t\t\treturn l.flush(ctx)\n\t\t}\n"}},
		pkg: "./workers", test: "TestSegmentIsOneMerge",
	},
	{
		name:  "event times ignored within a segment",
		edits: []edit{{"workers/merge.go", "if b.timed {\n\t\tb.sortByTime()", "if base < 0 {\n\t\tb.sortByTime()"}},
		pkg:   "./workers", test: "TestEventTimeDecides",
	},
	{
		name: "one event time for all cells of a row",
		edits: []edit{{"workers/eventtime.go", "dst = append(dst, b.row(b.repack(), at))",
			"dst = append(dst, b.row(b.repack(), b.time(g.last)+0*at))"}},
		pkg: "./workers", test: "TestEventTimeDecides",
	},
	{
		name: "records of one key read in several passes",
		edits: []edit{{"workers/share.go", "crc32.ChecksumIEEE(key)%uint32(l.passes)",
			"(crc32.ChecksumIEEE(key)+uint32(l.parts[0].Counts.Read))%uint32(l.passes)"}},
		pkg: "./workers", test: "TestMergingEqualsOneRecordAtATime",
	},
	{
		name:  "half a segment written",
		edits: []edit{{"workers/load.go", "l.parts[i].Counts.Read -= l.batch.drop(i)", "_ = i"}},
		pkg:   "./workers", test: "TestHalfASegmentIsNotWritten",
	},
	{
		name:  "static columns written by every row",
		edits: []edit{{"workers/merge.go", "if b.hasStatics() {", "if b.hasStatics() && len(rows) < 0 {"}},
		pkg:   "./workers", test: "TestMergingEqualsOneRecordAtATime",
	},
	{
		name: "no pin",
		edits: []edit{
			{"internal/objects/open.go", "err := opts.SetMatchETag(o.ETag); err != nil", "o.ETag == \"\""},
			{"internal/objects/open.go", "case info.ETag != o.ETag:", "case info.ETag == \"\":"},
		},
		pkg: "./internal/objects", test: "TestConformanceMinIO", sub: "overwritten",
	},
	{
		name: "last record of a CSV chunk dropped",
		edits: []edit{{"chunk/csv/reader.go", "if r.learn {\n\t\tif err := r.bindFirst(); err != nil {",
			"if r.win.Offset() > r.o.End {\n\t\treturn io.EOF\n\t}\n\tif r.learn {\n\t\tif err := r.bindFirst(); err != nil {"}},
		pkg: "./chunk", test: "TestEveryChunkSizeYieldsTheSameRecords",
	},
	{
		name: "last line of a chunk dropped",
		edits: []edit{{"chunk/internal/lines/lines.go", "if rec.Problem != nil || !blank(rec.Raw) {",
			"if r.win.Offset() > r.o.End {\n\t\t\treturn io.EOF\n\t\t}\n\t\tif rec.Problem != nil || !blank(rec.Raw) {"}},
		pkg: "./chunk", test: "TestLinesSplitAnywhere",
	},
	{
		name: "base reused after the store was restored",
		edits: []edit{{"state/clock.go", "r.base = max(at.Next, r.now)",
			"if r.base = at.Next; r.base == 0 {\n\t\t\t\tr.base = r.now\n\t\t\t}"}},
		pkg: "./state", test: "TestBaseAfterTheStoreWasRestored",
	},
	{
		name:  "base from the wall clock alone",
		edits: []edit{{"state/clock.go", "r.base = max(at.Next, r.now)", "r.base = r.now"}},
		pkg:   "./state", test: "TestReserveWhileTheClockStepsBack",
	},
	{
		name: "the last completion instead of the first",
		edits: []edit{{"state/chunks.go", "created, err := s.createJSON(ctx, chunkKey(c.Job, kind, c.Chunk), c)",
			"data, _ := json.Marshal(c)\n\tcreated, err := true, s.docs.Put(ctx, chunkKey(c.Job, kind, c.Chunk), data)"}},
		pkg: "./state", test: "TestFirstCompletionCounts",
	},
	{
		name: "dead beats done in the store",
		edits: []edit{
			{"state/chunks.go", "err := s.read(ctx, chunkKey(job, \"done\", chunk), &c)\n\tif contracts.KindOf(err) != " +
				"contracts.KindMissing {\n\t\treturn c, err == nil, err",
				"err := s.read(ctx, chunkKey(job, \"dead\", chunk), &c)\n\tif contracts.KindOf(err) != " +
					"contracts.KindMissing {\n\t\treturn c, false, err"},
			{"state/chunks.go", "err = s.read(ctx, chunkKey(job, \"dead\", chunk), &c)\n\treturn c, false, err",
				"err = s.read(ctx, chunkKey(job, \"done\", chunk), &c)\n\treturn c, err == nil, err"},
		},
		pkg: "./state", test: "TestDoneBeatsDead",
	},
	{
		name: "dead beats done in the fold",
		edits: []edit{{"status/progress.go", "p.DoneAt.has(o.Chunk) {\n\t\treturn false",
			"p.Has(o.Chunk) {\n\t\treturn false"}},
		pkg: "./status", test: "TestDoneAfterDead",
	},
	{
		name: "rows counted that nobody acknowledged",
		edits: []edit{{"internal/table/cassandra/send.go", "if err == nil || refused(err) {\n\t\t\treturn err",
			"if err == nil || !refused(err) {\n\t\t\treturn nil"}},
		pkg: "./internal/table/cassandra", test: "TestTroubledBatchesAreSentAgain",
	},
	{
		name: "a batch blamed for one of its rows",
		edits: []edit{{"internal/table/cassandra/send.go", "if len(batch) == 1 {\n\t\tc.refuse(batch[0].row, err)\n",
			"if len(batch) > 0 {\n\t\tfor _, e := range batch {\n\t\t\tc.refuse(e.row, err)\n\t\t}\n"}},
		pkg: "./internal/table/cassandra", test: "TestBadRowsOfMixedBatches",
	},
	{
		name: "a changed table written to",
		edits: []edit{{"internal/table/cassandra/writer.go", "if err := w.checkWritten(ctx, rows); err != nil {",
			"if err := ctx.Err(); err != nil {"}},
		pkg: "./internal/table/cassandra", test: "TestSchemaChangesUnderTheWriter",
	},
	{
		name: "TTL counted from the write",
		edits: []edit{{"internal/table/cassandra/send.go", "left := time.Until(c.expires) / time.Second",
			"left := time.Duration(c.w.ttl)"}},
		pkg: "./internal/table/cassandra", test: "TestTTL",
	},
	{
		name: "a budget that no batch waits for",
		edits: []edit{{"internal/table/cassandra/send.go", "if err := c.pace(ctx, batch); err != nil {",
			"if err := ctx.Err(); err != nil {"}},
		pkg: "./internal/table/cassandra", test: "TestConformance", sub: "every_batch_is_paced",
	},
	{
		name: "one slice of a budget's time sold to two",
		edits: []edit{{"internal/queue/budget.go", "jetstream.WithExpectLastSequencePerSubject(revision)",
			"jetstream.WithRetryAttempts(2)"}},
		pkg: "./internal/queue", test: "TestBudgetIsSwapped",
	},
	{
		name: "a budget saved up while nobody writes",
		edits: []edit{{"budget/sold.go", "if oldest := now.Add(-late); begin.Before(oldest) {",
			"if oldest := now.Add(-time.Hour); begin.Before(oldest) {"}},
		pkg: "./budget", test: "TestIdleTimeIsABoundedBurst",
	},
	{
		name:  "a budget that waits for an instant of another clock",
		edits: []edit{{"budget/sold.go", "s.End.IsZero() || s.Begin.Sub(now) > strange", "s.End.IsZero()"}},
		pkg:   "./budget", test: "TestSharedValueIsLost",
	},
}

// withoutTimestamps leaves the time of a write to whoever is next to give it one.
var withoutTimestamps = []edit{
	{"cql/statement.go", "\") USING TIMESTAMP ?\"", "\")\""},
	{"cql/statement.go", "s += \" AND TTL ?\"", "s += \" USING TTL ?\""},
	{"internal/table/cassandra/bind.go", "n := len(w.table.Columns) + 1", "n := len(w.table.Columns)"},
	{"internal/table/cassandra/bind.go", "\tb.folded = appendInt64(b.folded, r.Timestamp)\n", ""},
}
