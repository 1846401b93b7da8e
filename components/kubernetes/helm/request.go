package helm

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// request is what the controller wants to have done, as JSON on stdin.
type request struct {
	// Action is "apply" or "remove".
	Action string `json:"action"`
	// Name and Namespace are the release's.
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	// CreateNamespace makes the namespace if it is missing.
	CreateNamespace bool `json:"createNamespace"`
	// ConfigHash stands for chart and values together: a deployed release
	// that has it is left alone.
	ConfigHash string `json:"configHash"`
	// TimeoutMs is for each hook, as of helm's --timeout.
	TimeoutMs int64 `json:"timeoutMs"`
	// FailurePolicy is "reinstall" or "abort".
	FailurePolicy string        `json:"failurePolicy"`
	Chart         chartSource   `json:"chart"`
	Values        []valuesPiece `json:"values"`
	// Set has numbers and texts, by helm's paths: a.b[0].c
	Set map[string]json.RawMessage `json:"set"`
	// WorkDir is a folder for what is downloaded.
	WorkDir string `json:"workDir"`
}

// chartSource says where the chart is, and how that is reached.
type chartSource struct {
	// Content is the archive in base64; without it Chart, Repo and Version
	// name one.
	Content               string `json:"content"`
	Chart                 string `json:"chart"`
	Repo                  string `json:"repo"`
	Version               string `json:"version"`
	Username              string `json:"username"`
	Password              string `json:"password"`
	PassCredentials       bool   `json:"passCredentials"`
	CA                    string `json:"ca"` // PEM
	InsecureSkipTLSVerify bool   `json:"insecureSkipTLSVerify"`
	PlainHTTP             bool   `json:"plainHTTP"`
	// DockerConfig is a config.json of docker's.
	DockerConfig string `json:"dockerConfig"`
}

// valuesPiece is YAML, of which JSON is a part; a later one has the last word.
type valuesPiece struct {
	// From says where a person finds it.
	From    string `json:"from"`
	Content string `json:"content"`
}

func (r request) timeout() time.Duration { return time.Duration(r.TimeoutMs) * time.Millisecond }

func (r request) keepsFailed() bool { return r.FailurePolicy == "abort" }

func readRequest(from io.Reader) (request, error) {
	var r request
	if err := json.NewDecoder(from).Decode(&r); err != nil {
		return r, fmt.Errorf("the request is not understood: %w", err)
	}
	return r, nil
}

// report is one line of JSON on stdout: steps on the way, then what came of
// it, "done" or "failed".
type report struct {
	Report string `json:"report"`
	// Reason is in CamelCase, as an Event's.
	Reason  string `json:"reason"`
	Message string `json:"message"`
	// Retry tells of a failure that another try may do without any change.
	Retry   bool         `json:"retry,omitempty"`
	Release *releaseInfo `json:"release,omitempty"`
}

type releaseInfo struct {
	Revision   int    `json:"revision"`
	Chart      string `json:"chart"`
	AppVersion string `json:"appVersion,omitempty"`
}

// failure is why something was not done.
type failure struct {
	reason string
	retry  bool
	cause  error
}

func (f *failure) Error() string { return f.cause.Error() }
func (f *failure) Unwrap() error { return f.cause }
