package helm

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestValuesLieOverEachOther(t *testing.T) {
	values, err := mergedValues([]valuesPiece{
		{From: "a", Content: "image: {tag: a, pull: Always}\nlist: [1, 2]\n"},
		{From: "b", Content: `{"image":{"tag":"b"}}`},
		{From: "c", Content: "# nothing but a comment\n"},
		{From: "d", Content: "list: [3]\n---\nlast: true"},
	}, map[string]json.RawMessage{
		"replicas":    json.RawMessage(`3`),
		"flag":        json.RawMessage(`"true"`),
		"text":        json.RawMessage(`"a,b\\,c"`),
		"number.text": json.RawMessage(`"12"`),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"image":    map[string]any{"tag": "b", "pull": "Always"},
		"list":     []any{3.0},
		"last":     true,
		"replicas": int64(3),
		"flag":     true,
		"text":     "a,b,c",
		"number":   map[string]any{"text": "12"},
	}
	if !reflect.DeepEqual(values, want) {
		t.Errorf("%#v", values)
	}
}

func TestIntegersKeepTheirDigits(t *testing.T) {
	values, err := readValues("big: 9223372036854775807\nsmall: -9223372036854775808\nhuge: 18446744073709551615\nport: 8080\nhalf: 0.5\nexact: 9007199254740992\nnext: 9007199254740993\n")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"big":   int64(9223372036854775807),
		"small": int64(-9223372036854775808),
		"huge":  uint64(18446744073709551615),
		"port":  8080.0, // as helm has every number, and charts compare with it
		"half":  0.5,
		"exact": 9007199254740992.0,
		"next":  int64(9007199254740993),
	}
	if !reflect.DeepEqual(values, want) {
		t.Errorf("%#v", values)
	}
}

func TestValuesThatAreNone(t *testing.T) {
	for text, said := range map[string]string{
		"a: [":        "HelmChart: ",
		"- a\n- b":    "values are a mapping",
		"just a text": "values are a mapping",
	} {
		_, err := mergedValues([]valuesPiece{{From: "valuesContent of the HelmChart", Content: text}}, nil)
		if err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
