package pipeline

import (
	"bytes"
	"encoding/json"
)

// Schema is the JSON Schema of a pipeline spec, for editors and for checks before a spec reaches Penstock. It says what
// can be said of one key at a time; Parse and Compile say the rest.
func Schema() []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(specSchema()); err != nil {
		panic("pipeline: the schema has no JSON: " + err.Error())
	}
	return buf.Bytes()
}

// describe adds a description, which editors show.
func (d document) describe(text string) document {
	d["description"] = text
	return d
}

func (d document) or(def any) document {
	d["default"] = def
	return d
}

func object(properties document, required ...string) document {
	d := document{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		d["required"] = required
	}
	return d
}

func text() document    { return document{"type": "string"} }
func boolean() document { return document{"type": "boolean"} }

func matching(pattern string) document { return document{"type": "string", "pattern": pattern} }

func enum(values ...string) document { return document{"type": "string", "enum": values} }

func list(items document) document { return document{"type": "array", "items": items} }

func whole(minimum int64) document { return document{"type": "integer", "minimum": minimum} }

func specSchema() document {
	d := object(document{
		"name":    matching("^[a-z0-9_-]{1,64}$").describe("The pipeline's name: 1 to 64 of a-z, 0-9, _ and -."),
		"source":  sourceSchema(),
		"table":   tableSchema(),
		"columns": columnsSchema(),
		"where": text().describe("An expression over the record's fields, before types. A record for which it is " +
			"false is filtered."),
		"nulls": enum(NullsUnset, NullsDelete).or(NullsUnset).
			describe("What a null does: unset keeps what the cell holds, delete empties it."),
		"rejects": object(document{"max": document{"anyOf": []document{whole(0), matching(`^[0-9]+(\.[0-9]+)?%$`)}}.
			describe("How many rejects pass: a count, or a percentage of the records read, such as \"1%\".")}).
			describe("Without a limit a job loads what it can and reports the rest."),
		"write": object(document{
			"consistency": enum(consistencies...).or(defaultConsistency).
				describe("The consistency level at which a row counts as written."),
			"ttl": whole(0).or(0).describe("Seconds from the job's start that a row lives; 0 is for ever."),
			"timestamp": text().describe("The column of type timestamp whose value is the write time: the latest event " +
				"time wins. Needs allow_unsafe: [event_time_ties]."),
			"budget": budgetSchema(),
		}),
		"on": object(document{
			"bucket":   text().describe("New objects of this bucket become jobs."),
			"prefix":   text().or("").describe("Only keys that start so."),
			"suffix":   text().or("").describe("Only keys that end so."),
			"schedule": text().describe("Five cron fields, UTC: what is new is loaded at each tick as one job."),
		}, "bucket"),
		"allow_unsafe": list(enum(hazards...)).describe("Hazards of replay that you accept."),
	}, "name", "source", "table", "columns")
	d["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	d["title"] = "Penstock pipeline"
	return d
}

func sourceSchema() document {
	def := newSpec("").Source
	return object(document{
		"format":      enum("csv", "tsv", "ndjson", "text").describe("What the files hold."),
		"compression": enum("auto", "none", "gzip", "zstd").or("auto").describe("auto goes by the name: .gz, .zst."),
		"strict": boolean().or(false).describe("Every name in a header must be mapped to a column; names that the key " +
			"does not need may be missing."),
		"csv": object(document{
			"header": boolean().or(true).describe("The first record names the fields; without it, from is a position."),
			"delimiter": document{"type": "string", "minLength": 1, "maxLength": 8}.or(def.CSV.Delimiter).
				describe("1 to 8 bytes; a tab where the format is tsv."),
			"quote":   oneByteSchema().or(def.CSV.Quote).describe("One byte, or empty for none."),
			"escape":  oneByteSchema().describe("One byte, or empty for none; the quote by default: doubling."),
			"comment": oneByteSchema().or("").describe("Lines that start with it are no records; empty for none."),
			"skip":    whole(0).or(0).describe("Lines dropped before the header."),
			"trim":    boolean().or(false).describe("Drop blanks and tabs around unquoted values."),
			"null":    list(text()).or(def.CSV.Null).describe("Unquoted fields that are null."),
			"quoted_newlines": boolean().or(true).describe("false: no quoted value holds a line break, so that big " +
				"files split without a scan."),
		}).describe("The dialect of csv and tsv."),
		"text": object(document{
			"pattern": text().describe("A regexp (RE2) with named groups, which are the fields."),
			"fields":  list(text()).describe("Names of whitespace-separated fields; the last keeps its blanks."),
		}).describe("How lines become fields where the format is text: a pattern or fields."),
	}, "format").describe("How objects become records.")
}

func oneByteSchema() document { return document{"type": "string", "maxLength": 1} }

func tableSchema() document {
	name := matching("^[a-zA-Z0-9_]{1,48}$")
	types := document{"type": "object", "additionalProperties": document{
		"type": "object", "minProperties": 1, "additionalProperties": text(),
	}}
	key := list(text())
	key["minItems"] = 1
	return object(document{
		"keyspace":       name,
		"name":           name,
		"partition_key":  key.describe("Columns that say which partition a row is in."),
		"clustering_key": list(text()).describe("Columns that order and name the rows of a partition."),
		"create":         boolean().or(false).describe("Make keyspace and table where they are missing."),
		"types":          types.describe("User types: for each its fields and their types, in their order."),
	}, "keyspace", "name", "partition_key").describe("The table that the rows go to.")
}

func columnsSchema() document {
	column := object(document{
		"name": document{"type": "string", "minLength": 1}.describe("The column in the table."),
		"type": document{"type": "string", "examples": []string{
			"ascii", "bigint", "blob", "boolean", "date", "decimal", "double", "duration", "float", "inet", "int",
			"smallint", "text", "time", "timestamp", "timeuuid", "tinyint", "uuid", "varchar", "varint",
			"frozen<list<text>>", "set<text>", "map<text, int>", "tuple<int, text>", "vector<float, 3>",
		}}.describe("The CQL type."),
		"from": document{"type": []string{"string", "integer"}, "examples": append(metas, "$path.NAME")}.
			describe("The field, by its name (the column's by default) or its position, or one of the names with $."),
		"expr": text().describe("An expression over the record's fields, instead of from."),
		"layout": document{"type": "string", "examples": []string{
			"iso", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "rfc1123", "02.01.2006 15:04:05",
		}}.describe("How timestamps are written: a name, or a layout in Go's notation."),
		"zone":   text().or("UTC").describe("The time zone of timestamps that name none, such as Europe/Berlin."),
		"static": boolean().or(false).describe("One value for the whole partition."),
	}, "name", "type")
	d := list(column)
	d["minItems"] = 1
	return d.describe("The table's columns and where their values come from.")
}
