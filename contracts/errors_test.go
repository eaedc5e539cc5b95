package contracts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestKindOf(t *testing.T) {
	t.Parallel()
	missing := Errorf(KindMissing, "no such key")
	for name, c := range map[string]struct {
		err  error
		want Kind
	}{
		"nil":                         {nil, ""},
		"nobody has said":             {io.EOF, KindInternal},
		"its own":                     {missing, KindMissing},
		"wrapped":                     {fmt.Errorf("open: %w", missing), KindMissing},
		"the nearest":                 {Errorf(KindUnavailable, "retry: %w", missing), KindUnavailable},
		"joined":                      {errors.Join(io.EOF, missing), KindMissing},
		"cancelled":                   {fmt.Errorf("read: %w", context.Canceled), KindInterrupted},
		"out of time":                 {context.DeadlineExceeded, KindInterrupted},
		"something nearer than that":  {Errorf(KindUnavailable, "read: %w", context.DeadlineExceeded), KindUnavailable},
		"an error without a kind":     {&Error{Err: io.EOF}, KindInternal},
		"no kind around a cancelling": {&Error{Err: context.Canceled}, KindInterrupted},
	} {
		if got := KindOf(c.err); got != c.want {
			t.Errorf("%s: found %q, expected %q", name, got, c.want)
		}
	}
}

func TestTransient(t *testing.T) {
	t.Parallel()
	for _, k := range []Kind{KindInput, KindMissing, KindDenied, KindChanged, KindExists, KindConfig, KindUnavailable,
		KindLimit, KindInterrupted, KindInternal, ""} {
		if want := k == KindUnavailable || k == KindInterrupted; k.Transient() != want {
			t.Errorf("%q: transient %t", k, k.Transient())
		}
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string
	}{
		{Errorf(KindConfig, "found %d", 1), "found 1"},
		{At(KindInput, "s3://b/k", 0, "quote: %w", io.EOF), "s3://b/k: byte 0: quote: EOF"},
		{At(KindChanged, "s3://b/k", -1, "it changed"), "s3://b/k: it changed"},
	} {
		if c.err.Error() != c.want {
			t.Errorf("found %q, expected %q", c.err, c.want)
		}
	}
	if !errors.Is(At(KindInput, "k", 1, "quote: %w", io.EOF), io.EOF) {
		t.Error("the cause is lost")
	}
}

func TestInfo(t *testing.T) {
	t.Parallel()
	if Info(nil) != nil {
		t.Error("nil has an info")
	}
	i := Info(fmt.Errorf("chunk 1: %w", At(KindInput, "s3://b/k", 7, "quote")))
	if i.Kind != KindInput || i.Message != "chunk 1: s3://b/k: byte 7: quote" ||
		*i.Object != "s3://b/k" || *i.Offset != 7 {
		t.Errorf("found %+v", i)
	}
	if i := Info(At(KindChanged, "s3://b/k", -1, "it changed")); *i.Object != "s3://b/k" || i.Offset != nil {
		t.Errorf("found %+v", i)
	}
	if i := Info(io.EOF); i.Kind != KindInternal || i.Object != nil || i.Offset != nil {
		t.Errorf("found %+v", i)
	}
}
