package servers_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/testenv"
	"github.com/penstock-io/penstock/internal/testenv/servers"
	"github.com/penstock-io/penstock/internal/testenv/tools"
)

func TestFailedStart(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		config  string
		timeout bool
		want    []string
	}{
		"refused configuration": {"no_such_setting {", false, []string{"ended before it was ready", "Parse error"}},
		"no time":               {"", true, []string{"nats-server: not ready in time", "its log ends:"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tt.timeout {
				cancel()
			}
			s, err := servers.StartNATS(ctx, t.TempDir(), tt.config)
			if errors.Is(err, tools.ErrMissing) {
				testenv.Skip(t, "%v", err)
			}
			if err == nil {
				s.Kill()
				t.Fatal("the server started")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error lacks %q: %v", want, err)
				}
			}
		})
	}
}
