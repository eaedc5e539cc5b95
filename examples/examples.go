// Package examples holds pipelines that run as they are, with data written for this project. `penstock demo` loads
// them; README files beside them say how to load them by hand.
package examples

import "embed"

// Files are the pipelines and their data.
//
//go:embed lyrics/*.yaml lyrics/*.ndjson lyrics/*.csv listing/*.yaml listing/*.txt
var Files embed.FS

// Example is one pipeline with its source and a question to ask of the table. Paths are below Files.
type Example struct {
	Pipeline string
	Source   string
	Query    string // SQL
}

// All are the examples in the order in which the demo loads them.
var All = []Example{
	{"lyrics/artists.yaml", "lyrics/artists.ndjson",
		"SELECT name, city, styles FROM artists ORDER BY name"},
	{"lyrics/lyrics.yaml", "lyrics/lyrics.ndjson",
		"SELECT title, line, words FROM lyrics WHERE artist_id = 'tidewater' ORDER BY title, line_no"},
	{"lyrics/meetups.yaml", "lyrics/meetups.csv",
		"SELECT city, starts_at, topic FROM meetups ORDER BY starts_at"},
	{"listing/listing.yaml", "listing/listing.txt",
		"SELECT owner, count(*), sum(size) FROM listing GROUP BY owner"},
}
