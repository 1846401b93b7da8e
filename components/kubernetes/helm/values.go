package helm

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/strvals"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// exactIntegers is the largest number up to which float64, helm's type for
// every number, holds each integer.
const exactIntegers = 1 << 53

// mergedValues reads what the request gives, each piece over those before it,
// and what is set last.
func mergedValues(pieces []valuesPiece, set map[string]json.RawMessage) (map[string]any, error) {
	values := map[string]any{}
	for _, piece := range pieces {
		read, err := readValues(piece.Content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", piece.From, err)
		}
		values = loader.MergeMaps(values, read)
	}
	for _, path := range slices.Sorted(maps.Keys(set)) {
		if err := setValue(values, path, set[path]); err != nil {
			return nil, fmt.Errorf("set %s: %w", path, err)
		}
	}
	return values, nil
}

// readValues is as helm's own, but for integers that float64 would round.
func readValues(text string) (map[string]any, error) {
	values := map[string]any{}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text + "\n")))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			return nil, err
		}
		read, err := readDocument(document)
		if err != nil {
			return nil, err
		}
		values = loader.MergeMaps(values, read)
	}
}

func readDocument(document []byte) (map[string]any, error) {
	text, err := yaml.YAMLToJSON(document)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var read any
	if err := decoder.Decode(&read); err != nil {
		return nil, err
	}
	if read == nil {
		return map[string]any{}, nil // comments alone
	}
	values, isMap := withNumbers(read).(map[string]any)
	if !isMap {
		return nil, errors.New("values are a mapping of names, and this is none")
	}
	return values, nil
}

func withNumbers(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, inside := range value {
			value[key] = withNumbers(inside)
		}
	case []any:
		for index, inside := range value {
			value[index] = withNumbers(inside)
		}
	case json.Number:
		return number(value)
	}
	return value
}

func number(digits json.Number) any {
	if integer, err := digits.Int64(); err == nil && (integer > exactIntegers || integer < -exactIntegers) {
		return integer
	}
	if integer, err := strconv.ParseUint(digits.String(), 10, 64); err == nil && integer > exactIntegers {
		return integer
	}
	float, err := digits.Float64()
	if err != nil {
		return digits.String()
	}
	return float
}

// setValue is as --set for what looks like a number, a boolean or null, and as
// --set-string for other texts, whose commas are no separators.
func setValue(values map[string]any, path string, raw json.RawMessage) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return strvals.ParseInto(path+"="+string(raw), values) // a number
	}
	switch strings.ToLower(text) {
	case "true", "false", "null":
		return strvals.ParseInto(path+"="+text, values)
	}
	return strvals.ParseIntoString(path+"="+commas.ReplaceAllStringFunc(text, escaped), values)
}

var commas = regexp.MustCompile(`\\*,`)

// escaped gives a comma a backslash unless it has one that is none of an
// escaped backslash itself.
func escaped(comma string) string {
	if len(comma)%2 == 1 {
		return `\` + comma
	}
	return comma
}
