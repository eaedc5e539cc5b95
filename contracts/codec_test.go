package contracts

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

func TestJobByHand(t *testing.T) {
	t.Parallel()
	var got Job
	check(t, Unmarshal(load(t, "job_by_hand.json"), &got))
	if want := (Job{Source: []string{"s3://landing/2026/*.csv"}}); !reflect.DeepEqual(got, want) {
		t.Errorf("found %+v, expected %+v", got, want)
	}
}

// both encodes a message as others may write it.
func both(t *testing.T, message map[string]any) map[string][]byte {
	t.Helper()
	text, err := json.Marshal(message)
	check(t, err)
	packed, err := msgpack.Marshal(message)
	check(t, err)
	return map[string][]byte{"JSON": text, "msgpack": packed, "JSON after blanks": append([]byte("\r\n\t "), text...)}
}

func TestNewerVersionIsRefused(t *testing.T) {
	t.Parallel()
	for name, data := range both(t, map[string]any{"v": 2, "source": map[string]any{"its": "shape changed"}}) {
		for _, into := range []any{&Job{}, &ChunkWork{}, &Event{}, &Completion{}, &ScanResult{}} {
			err := Unmarshal(data, into)
			if KindOf(err) != KindConfig || !strings.Contains(err.Error(), "version 2 is newer than 1: upgrade this process") {
				t.Errorf("%s into %T: found %v", name, into, err)
			}
		}
	}
}

func TestUnknownFieldsArePassedOver(t *testing.T) {
	t.Parallel()
	later := map[string]any{"v": 1, "source": []string{"a"}, "added": map[string]any{"later": []int{1, 2}}, "x": nil}
	for name, data := range both(t, later) {
		var got Job
		if err := Unmarshal(data, &got); err != nil || !reflect.DeepEqual(got, Job{V: 1, Source: []string{"a"}}) {
			t.Errorf("%s: found %+v, %v", name, got, err)
		}
	}
}

func TestMessagesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data string
		says string
	}{
		"nothing":               {"", "decode *contracts.Job: empty message: expected JSON or msgpack"},
		"cut JSON":              {`{"source":["a"]`, "unexpected end of JSON input"},
		"two JSON values":       {`{"source":["a"]}{}`, "after top-level value"},
		"a JSON array":          {`["a"]`, "expected a JSON object"},
		"text":                  {"hello", `decode *contracts.Job: found "hello": expected a JSON object`},
		"a source of one":       {`{"source":"a"}`, "cannot unmarshal string"},
		"cut msgpack":           {"\x81\xa6source", "EOF"},
		"a msgpack array":       {"\x91\x01", "decode *contracts.Job: "},
		"msgpack of wrong type": {"\x81\xa6source\x01", "decode *contracts.Job: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := Unmarshal([]byte(c.data), &Job{})
			if KindOf(err) != KindInput || !strings.Contains(err.Error(), c.says) {
				t.Errorf("found %v, expected an error of kind input with %q", err, c.says)
			}
		})
	}
}

// TestEncodingIsStable guards the goldens against the order of maps.
func TestEncodingIsStable(t *testing.T) {
	t.Parallel()
	c := Completion{V: 1, Rules: map[Rule]int64{}}
	for _, r := range []Rule{RuleFields, RuleSyntax, RuleEncoding, RuleLength, RuleType, RuleRange, RuleKey, RuleExpr} {
		c.Rules[r] = 1
	}
	first, err := Marshal(c)
	check(t, err)
	for range 20 {
		again, err := Marshal(c)
		check(t, err)
		if string(again) != string(first) {
			t.Fatalf("encoded the same completion in two ways:\n%s\n%s", dump(first), dump(again))
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"source":["a"]}`))
	f.Add([]byte("\x81\xa6source\x91\xa1a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var job Job
		if Unmarshal(data, &job) != nil {
			return
		}
		packed, err := Marshal(job)
		check(t, err)
		var again Job
		check(t, Unmarshal(packed, &again))
		packedAgain, err := Marshal(again)
		check(t, err)
		if string(packed) != string(packedAgain) {
			t.Errorf("found %+v, then %+v", job, again)
		}
	})
}
