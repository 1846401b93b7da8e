package helm

import (
	"context"
	"errors"
	"log/slog"
	"slices"
)

// problems keeps the errors that helm logs: some it tells nobody else. It is
// the handler of helm's log, and writes nothing.
type problems struct{ all []error }

func (*problems) Enabled(context.Context, slog.Level) bool { return true }

func (p *problems) Handle(_ context.Context, record slog.Record) error {
	record.Attrs(func(attr slog.Attr) bool {
		p.keep(attr.Value.Any())
		return true
	})
	return nil
}

func (p *problems) keep(value any) {
	switch value := value.(type) {
	case []error:
		p.all = append(p.all, value...)
	case error:
		p.all = append(p.all, value)
	}
}

func (p *problems) WithAttrs([]slog.Attr) slog.Handler { return p }
func (p *problems) WithGroup(string) slog.Handler      { return p }

func (p *problems) last() error {
	if len(p.all) == 0 {
		return nil
	}
	return p.all[len(p.all)-1]
}

func (p *problems) has(is func(error) bool) bool {
	return slices.ContainsFunc(p.all, func(one error) bool { return isInChain(one, is) })
}

func isInChain(err error, is func(error) bool) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if is(err) {
			return true
		}
	}
	return false
}
