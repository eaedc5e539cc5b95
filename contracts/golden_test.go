package contracts

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

var update = flag.Bool("update", false, "write contracts/testdata anew; only a new version may change what is there")

func ptr[T any](v T) *T { return &v }

var (
	noon   = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	object = Object{Bucket: "landing", Key: "2026/a.csv", VersionID: "v1", ETag: "9b2cf5", Size: 20_000_000}
	failed = ErrorInfo{Kind: KindInput, Message: "a quote is never closed", Object: ptr("s3://landing/2026/a.csv"),
		Offset: ptr(int64(8_388_608))}
	report = Report{
		Job: "20261121t120000-k3x9q2ab", Pipeline: "readings", Revision: "0f3c", State: StateFailed,
		Records: Counts{Read: 10, Written: 6, Merged: 1, Filtered: 1, Rejected: 2},
		Objects: ObjectTotals{Total: 2, Loaded: 1, Failed: 1}, Chunks: ChunkTotals{Total: 2, Done: 1, Dead: 1},
		Bytes: 1024, Seconds: 0.5, RowsPerSecond: 12,
		Rejects: RejectsReport{ByRule: map[Rule]int64{RuleRange: 1, RuleFields: 1},
			Location: ptr("s3://penstock-rejects/readings/20261121t120000-k3x9q2ab/")},
		Error: &failed,
	}
)

// goldens are one message or document of each kind, with every field set in one of them.
var goldens = []struct {
	name  string
	value any
}{
	{"job", &Job{V: 1, ID: "20261121t120000-k3x9q2ab", Pipeline: "readings", Revision: "0f3c",
		Source: []string{"s3://landing/2026/*.csv", "s3://landing/b.csv"}, Force: true, ChunkSize: 8 << 20, Trigger: "cli"}},
	{"accepted_job", &AcceptedJob{Job: Job{V: 1, ID: "20261121t120000-k3x9q2ab", Pipeline: "readings",
		Source: []string{"s3://landing/2026/*.csv"}}, Accepted: noon.Add(123456 * time.Microsecond)}},
	{"chunk_work", &ChunkWork{V: 1, Job: "20261121t120000-k3x9q2ab", Chunk: 1, Work: Load, Pipeline: "readings",
		Revision: "0f3c", Base: 1_795_262_400_000_000, BaseTime: noon, SegmentSize: 8 << 20, MaxRecord: 1 << 20,
		Parts: []Part{
			{Object: object, Start: 8 << 20, End: 16 << 20, Compression: "none", State: 2, Records: 81_920, Segment: 1,
				Segments: 1, Binding: &Binding{DataOffset: 24, Width: 3, Positions: []int{2, 0, -1}}},
			{Object: Object{Bucket: "landing", Key: "b.csv.gz", ETag: "77aa", Size: 4096}, End: 4096, Whole: true,
				Compression: "gzip", Segment: 2, Segments: 3},
		}}},
	{"scan_work", &ChunkWork{V: 1, Job: "20261121t120000-k3x9q2ab", Work: Scan, Pipeline: "readings", Revision: "0f3c",
		BaseTime: noon, SegmentSize: 8 << 20, MaxRecord: 1 << 20,
		Parts: []Part{{Object: object, Start: 24, End: 8 << 20, Compression: "none", Records: -1, Segments: 1}}}},
	{"scan_result", &ScanResult{V: 1, Job: "20261121t120000-k3x9q2ab", Chunk: 1, Outcomes: []Outcome{
		{Start: 0, End: 1, Records: 81_920, First: 8_388_613, Quote: 16_777_000}, {Start: 1, End: 0, First: -1, Quote: -1}}}},
	{"chunk_work_blocks", &ChunkWork{V: 1, Job: "20261121t120000-k3x9q2ab", Chunk: 2, Work: Load, Pipeline: "readings",
		Revision: "0f3c", Base: 1_795_262_400_000_000, BaseTime: noon, SegmentSize: 8 << 20, MaxRecord: 1 << 20,
		Parts: []Part{{Object: object, Start: 8 << 20, End: 16 << 20, Compression: "gzip", State: 3, Records: 81_920,
			Segment: 1041, Segments: 1031, Binding: &Binding{DataOffset: 24, Width: 3, Positions: []int{2, 0, -1}},
			Blocks: &Blocks{First: 8_390_000, Next: 16_790_000, Start: 33_554_000, End: 67_108_000}}}}},
	{"rescan_work", &ChunkWork{V: 1, Job: "20261121t120000-k3x9q2ab", Chunk: 2, Work: Rescan, Pipeline: "readings",
		Revision: "0f3c", BaseTime: noon, SegmentSize: 8 << 20, MaxRecord: 1 << 20,
		Parts: []Part{{Object: object, Start: 8 << 20, End: 16 << 20, Compression: "zstd", Records: -1, Segments: 1031,
			Blocks: &Blocks{First: 8_390_000, Next: -1, Start: 33_554_000, End: -1}}}}},
	{"scan_result_blocks", &ScanResult{V: 1, Job: "20261121t120000-k3x9q2ab", Chunk: 2, Outcomes: []Outcome{
		{Start: 0, End: 1, Records: 81_920, First: 5, Quote: -1}},
		Blocks: &Blocks{First: 8_390_000, Next: 16_790_000, End: 33_554_000}}},
	{"event_chunk_scanned_blocks", &Event{V: 1, Job: "20261121t120000-k3x9q2ab", Pipeline: "readings",
		Kind: EventChunkScanned, Time: noon, Chunk: ptr(1), Scan: []Outcome{{Start: 1, Records: 3, First: 9, Quote: -1}},
		Blocks: &Blocks{First: 8_390_000, Next: 16_790_000, End: 33_554_000}}},
	{"completion", &Completion{V: 1, Job: "20261121t120000-k3x9q2ab", Chunk: 1,
		Counts: Counts{Read: 10, Written: 6, Merged: 1, Filtered: 1, Rejected: 2}, Bytes: 1024,
		Rules: map[Rule]int64{RuleType: 1, RuleKey: 1}, Rejects: []string{"readings/20261121t120000-k3x9q2ab/1-ab.ndjson"},
		Parts: []PartResult{{Counts: Counts{Read: 10, Written: 6, Merged: 1, Filtered: 1, Rejected: 2}, Bytes: 1024},
			{Error: &failed}},
		Error: &failed, Worker: "worker-0", Seconds: 1.25}},
	{"event_accepted", &Event{V: 1, Job: "20261121t120000-k3x9q2ab", Pipeline: "readings", Kind: EventAccepted,
		Time: noon}},
	{"event_planned", &Event{V: 1, Job: "20261121t120000-k3x9q2ab", Pipeline: "readings", Kind: EventPlanned, Time: noon,
		Plan: &PlanTotals{Objects: 3, Skipped: 1, Failed: 1, Chunks: 2, Segments: 4, Bytes: 1024}}},
	{"event_chunk_dead", &Event{V: 1, Job: "20261121t120000-k3x9q2ab", Pipeline: "readings", Kind: EventChunkDead,
		Time: noon.Add(time.Millisecond), Chunk: ptr(0), Counts: &Counts{Read: 2, Rejected: 2},
		Rules: map[Rule]int64{RuleSyntax: 1, RuleLength: 1}, Bytes: 512, Error: &failed}},
	{"event_chunk_scanned", &Event{V: 1, Job: "20261121t120000-k3x9q2ab", Pipeline: "readings", Kind: EventChunkScanned,
		Time: noon, Chunk: ptr(1), Scan: []Outcome{{Start: 1, Records: 3, First: 9, Quote: -1}}}},
	{"event_failed", &Event{V: 1, Job: "20261121t120000-k3x9q2ab", Pipeline: "readings", Kind: EventFailed, Time: noon,
		Report: &report}},
	{"report", &report},
	{"job_of_rejects", &Job{V: 1, ID: "20261121t130000-7b2mf0qe", Pipeline: "readings", Revision: "0f3c",
		Source: []string{"s3://landing/b.csv"}, Force: true, Rejects: "20261121t120000-k3x9q2ab"}},
	{"chunk_work_of_rejects", &ChunkWork{V: 1, Job: "20261121t130000-7b2mf0qe", Work: Load, Pipeline: "readings",
		Revision: "0f3c", Base: 1_795_266_000_000_000, BaseTime: noon, SegmentSize: 8 << 20, MaxRecord: 1 << 20, Reader: 3,
		Parts: []Part{{Object: object, Start: 24, End: 4096, Compression: "none", Records: -1, Segments: 1,
			Only: &Only{Job: "20261121t120000-k3x9q2ab", First: 1, Last: 4}}}}},
	{"completion_dead", &Completion{V: 1, Job: "20261121t120000-k3x9q2ab", Chunk: 1, Parts: []PartResult{{Error: &failed}},
		Error: &failed, Worker: "worker-0", Seconds: 1.25, Attempts: 5}},
	{"scan_result_failed", &ScanResult{V: 1, Job: "20261121t120000-k3x9q2ab", Chunk: 1, Error: &failed}},
	{"report_done", &Report{Job: "20261121t120000-k3x9q2ab", Pipeline: "readings", Revision: "0f3c", State: StateDone,
		Objects: ObjectTotals{Total: 1, Skipped: 1}}},
	{"reject", &Reject{Job: "20261121t120000-k3x9q2ab", Pipeline: "readings", Object: "s3://landing/2026/a.csv",
		Version: "v1", Offset: 8_388_613, Length: 9, Record: ptr(int64(81_921)), Column: "level", Rule: RuleRange,
		Value: "99999999999", Reason: "out of range", Raw: ptr("d1,99999999999")}},
	{"reject_not_numbered", &Reject{Job: "20261121t120000-k3x9q2ab", Pipeline: "readings",
		Object: "s3://landing/2026/a.ndjson", Version: "v1", Offset: 8_388_613, Length: 2, InChunk: 7, Rule: RuleEncoding,
		Reason: "expected UTF-8", RawBase64: []byte{0xff, 0xfe}}},
}

// TestGoldensSetEveryField, so that a field which is added has its encoding held, too.
func TestGoldensSetEveryField(t *testing.T) {
	t.Parallel()
	set, known := map[string]bool{}, map[string]bool{}
	for _, g := range goldens {
		noteFields(reflect.ValueOf(g.value), set, known)
	}
	for field := range known {
		if !set[field] {
			t.Errorf("no golden sets %s: add one that does", field)
		}
	}
}

// noteFields walks a message of this package and notes its fields, and those that are not zero.
func noteFields(v reflect.Value, set, known map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		noteFields(v.Elem(), set, known)
	case reflect.Slice:
		for i := range v.Len() {
			noteFields(v.Index(i), set, known)
		}
	case reflect.Struct:
		if v.Type().PkgPath() != reflect.TypeFor[Job]().PkgPath() {
			return
		}
		for i := range v.NumField() {
			name := v.Type().Name() + "." + v.Type().Field(i).Name
			if v.Type().Field(i).Tag.Get("json") == "-" {
				continue
			}
			known[name] = true
			if !v.Field(i).IsZero() {
				set[name] = true
				noteFields(v.Field(i), set, known)
			}
		}
	}
}

func TestGoldens(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			text, err := json.MarshalIndent(g.value, "", "  ")
			check(t, err)
			packed, err := Marshal(g.value)
			check(t, err)
			golden(t, g.name+".json", append(text, '\n'))
			golden(t, g.name+".msgpack.hex", dump(packed))
		})
	}
}

// golden compares what we encode with the file, which is what others encode and what lies in old streams and buckets.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		check(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	check(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s: encoded\n%s\nexpected\n%s", name, got, want)
	}
}

func TestGoldensDecode(t *testing.T) {
	t.Parallel()
	for _, g := range goldens {
		for _, file := range []string{g.name + ".json", g.name + ".msgpack.hex"} {
			t.Run(file, func(t *testing.T) {
				t.Parallel()
				got := reflect.New(reflect.TypeOf(g.value).Elem()).Interface()
				check(t, Unmarshal(load(t, file), got))
				packed, err := Marshal(got)
				check(t, err)
				if want := load(t, g.name+".msgpack.hex"); !bytes.Equal(packed, want) {
					t.Errorf("decoded %s and encoded again: found\n%s\nexpected\n%s", file, dump(packed), dump(want))
				}
				text, err := json.Marshal(utc(got))
				check(t, err)
				var want bytes.Buffer
				check(t, json.Compact(&want, load(t, g.name+".json")))
				if string(text) != want.String() {
					t.Errorf("decoded %s and encoded again: found\n%s\nexpected\n%s", file, text, want.String())
				}
			})
		}
	}
}

// TestGoldensAgree holds both encodings to the same keys and values, as any msgpack and JSON library reads them.
func TestGoldensAgree(t *testing.T) {
	t.Parallel()
	for _, g := range goldens {
		var fromJSON, fromMsgpack any
		check(t, json.Unmarshal(load(t, g.name+".json"), &fromJSON))
		check(t, msgpack.Unmarshal(load(t, g.name+".msgpack.hex"), &fromMsgpack))
		text, err := json.Marshal(plain(fromMsgpack))
		check(t, err)
		check(t, json.Unmarshal(text, &fromMsgpack))
		if !reflect.DeepEqual(fromJSON, fromMsgpack) {
			t.Errorf("%s: JSON %v, msgpack %v", g.name, fromJSON, fromMsgpack)
		}
	}
}

// plain turns msgpack's times into their JSON.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case time.Time:
		return v.UTC()
	}
	return v
}

// utc undoes what msgpack does to times: the same instant in the local zone.
func utc(v any) any {
	switch v := v.(type) {
	case *AcceptedJob:
		v.Accepted = v.Accepted.UTC()
	case *ChunkWork:
		v.BaseTime = v.BaseTime.UTC()
	case *Event:
		v.Time = v.Time.UTC()
	}
	return v
}

// TestGoldenFiles finds files that no test reads any more.
func TestGoldenFiles(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"README.md": true, "job_by_hand.json": true}
	for _, g := range goldens {
		known[g.name+".json"], known[g.name+".msgpack.hex"] = true, true
	}
	files, err := os.ReadDir("testdata")
	check(t, err)
	for _, f := range files {
		if !known[f.Name()] {
			t.Errorf("testdata/%s: no test reads it", f.Name())
		}
	}
}

const dumpWidth = 64 // hex digits a line

func dump(data []byte) []byte {
	var out bytes.Buffer
	for digits := hex.EncodeToString(data); digits != ""; {
		n := min(len(digits), dumpWidth)
		out.WriteString(digits[:n] + "\n")
		digits = digits[n:]
	}
	return out.Bytes()
}

func load(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	check(t, err)
	if !strings.HasSuffix(name, ".hex") {
		return data
	}
	data, err = hex.DecodeString(strings.Join(strings.Fields(string(data)), ""))
	check(t, err)
	return data
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
