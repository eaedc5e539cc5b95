package cassandra

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// selfSigned is a certificate that is its own authority, for a name and an address.
func selfSigned(t *testing.T, name, addr string) (*x509.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		DNSNames: []string{name}, IPAddresses: []net.IP{net.ParseIP(addr)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return leaf, roots
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := closed.Addr().String()
	_ = closed.Close()
	for _, c := range []struct {
		name  string
		hosts []string
		kind  contracts.Kind
		words []string
	}{
		{"no host", nil, contracts.KindConfig, []string{"cassandra://host"}},
		{"nothing listens", []string{addr}, contracts.KindUnavailable, []string{addr, "refused", "is the cluster up"}},
		{"name that does not resolve", []string{"nowhere.invalid"}, contracts.KindUnavailable,
			[]string{"nowhere.invalid:9042", "are these names right"}},
		{"several", []string{addr, "nowhere.invalid"}, contracts.KindUnavailable,
			[]string{"none of the contact points", addr, "nowhere.invalid"}},
	} {
		_, err := Open(t.Context(), Config{Hosts: c.hosts})
		wantError(t, err, c.kind, c.words...)
	}
}

// A server that accepts and says nothing must not hold Open beyond its context.
func TestOpenEndsWithItsContext(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		conn, err := silent.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		cancel()
		_, _ = io.Copy(io.Discard, conn)
	}()
	_, err = Open(ctx, Config{Hosts: []string{silent.Addr().String()}})
	wantError(t, err, contracts.KindInterrupted, "connect to cassandra")
	_ = silent.Close()
	<-accepted
}

func TestWrongDataCentre(t *testing.T) {
	t.Parallel()
	if dc, err := chooseDC("", []string{"north", "south"}); dc != "north" || err != nil {
		t.Errorf("%q %v, expected the contact point's own", dc, err)
	}
	if dc, err := chooseDC("south", []string{"north", "south"}); dc != "south" || err != nil {
		t.Errorf("%q %v, expected the configured one", dc, err)
	}
	_, err := chooseDC("west", []string{"north", "south", "north"})
	wantError(t, err, contracts.KindConfig, `"west"`, "north, south", "PENSTOCK_LOCAL_DC")
}

func TestLimiterAdapts(t *testing.T) {
	t.Parallel()
	l := newLimiter()
	for range startInFlight {
		l.succeeded(time.Millisecond)
	}
	if l.limit != startInFlight+1 {
		t.Errorf("limit %d after a round of quick answers, expected %d", l.limit, startInFlight+1)
	}
	for range 10_000 {
		l.succeeded(2 * slowBatch)
	}
	if l.limit != startInFlight {
		t.Errorf("limit %d after slow answers, expected %d", l.limit, startInFlight)
	}
	before, after := time.Now().Add(-time.Second), time.Now().Add(time.Hour)
	for range startInFlight {
		l.overloaded(before) // all of one round
	}
	if l.limit != startInFlight/2 {
		t.Errorf("limit %d after a round of timeouts, expected half", l.limit)
	}
	for range 10 {
		l.overloaded(after)
	}
	if l.limit != 1 {
		t.Errorf("limit %d, expected never less than 1", l.limit)
	}
	for range 100_000 {
		l.succeeded(time.Millisecond)
	}
	if l.limit != maxInFlight {
		t.Errorf("limit %d, expected never more than %d", l.limit, maxInFlight)
	}
	for range maxInFlight {
		l.succeeded(2 * slowBatch)
	}
	if l.limit != maxInFlight-1 {
		t.Errorf("limit %d after a round of slow answers, expected %d", l.limit, maxInFlight-1)
	}
}

// A long way to the server is no queue before it.
func TestLimiterGrowsOverALongWay(t *testing.T) {
	t.Parallel()
	l := newLimiter()
	for range startInFlight {
		l.succeeded(2 * slowBatch)
	}
	if l.limit != startInFlight+1 {
		t.Errorf("limit %d, expected %d", l.limit, startInFlight+1)
	}
}

func TestLimiterHoldsItsBound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, held := newLimiter(), make(chan struct{})
		var wg sync.WaitGroup
		for range 10 * startInFlight {
			wg.Go(func() {
				if err := l.acquire(t.Context()); err != nil {
					t.Error(err)
				}
				<-held
				l.release()
			})
		}
		synctest.Wait()
		if l.inFlight != startInFlight {
			t.Errorf("%d in flight, expected %d", l.inFlight, startInFlight)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if l.acquire(ctx) == nil {
			t.Error("a slot beyond the bound")
		}
		close(held)
		wg.Wait()
		if l.inFlight != 0 {
			t.Errorf("%d in flight at the end", l.inFlight)
		}
	})
}

func TestBatchesHoldEachRowOnceWithinBounds(t *testing.T) {
	t.Parallel()
	w := &Writer{multi: make([]bool, 2), warn: thresholds{usualPartitions, usualBytes}}
	var rows []cql.Row
	for i := range 5000 {
		partition := fmt.Sprint(i % (1 + i%900))
		rows = append(rows, row(partition, fmt.Sprint(i), 1, strings.Repeat("x", i*i%3000)))
	}
	rows = append(rows, row("big", "1", 1, strings.Repeat("x", 60<<10)))
	seen := make([]int, len(rows))
	for batch := range spread(slices.Collect(w.batches(rows, w.sorted(rows)))) {
		size, partitions := 0, map[string]bool{}
		for _, e := range batch {
			seen[e.row]++
			size += w.cost(rows[e.row])
			partitions[string(rows[e.row].PartitionBytes())] = true
		}
		switch n := len(partitions); {
		case n > usualPartitions, n > 1 && size > usualBytes, n > 1 && len(batch) > maxBatchRows,
			len(batch) > 1 && size > maxBatchBytes, len(batch) > maxBatchRows:
			t.Errorf("a batch of %d rows, %d bytes, %d partitions", len(batch), size, n)
		}
	}
	for i, n := range seen {
		if n != 1 {
			t.Fatalf("row %d is in %d batches", i, n)
		}
	}
}

func TestThresholdsOfTheServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, value string
		want        thresholds
	}{
		{settingPartitions, "7", thresholds{7, usualBytes}},
		{settingPartitions, "1000", thresholds{mostPartitions, usualBytes}},
		{settingPartitions, "-1", thresholds{usualPartitions, usualBytes}},
		{settingPartitions, "many", thresholds{usualPartitions, usualBytes}},
		{settingBytes, "2KiB", thresholds{usualPartitions, 2 << 10}},
		{settingBytes, "3000B", thresholds{usualPartitions, 3000}},
		{settingBytes, "1MiB", thresholds{usualPartitions, mostBytes}},
		{settingBytes, "9000000000GiB", thresholds{usualPartitions, usualBytes}},
		{settingBytes, "5000GiB", thresholds{usualPartitions, mostBytes}},
		{settingBytes, "0KiB", thresholds{usualPartitions, usualBytes}},
		{settingBytes, "null", thresholds{usualPartitions, usualBytes}},
		{settingKiB, "4", thresholds{usualPartitions, 4 << 10}},
		{settingKiB, "0", thresholds{usualPartitions, usualBytes}},
		{settingKiB, "null", thresholds{usualPartitions, usualBytes}},
		{"else", "4", thresholds{usualPartitions, usualBytes}},
	} {
		got := thresholds{usualPartitions, usualBytes}
		if got.set(c.name, c.value); got != c.want {
			t.Errorf("%s %s: %v, expected %v", c.name, c.value, got, c.want)
		}
	}
}

func TestTuplesAreOpaque(t *testing.T) {
	t.Parallel()
	before, after := preparedFrame(false), preparedFrame(true)
	conn := newFrameConn(pipe{r: bytes.NewReader(before)})
	got, err := io.ReadAll(conn)
	if err != nil || !bytes.Equal(got, after) {
		t.Errorf("%v\n%q, expected\n%q", err, got, after)
	}
	for n := headerSize + 4; n < len(before); n++ { // cut anywhere: an error, never a panic
		short := bytes.Clone(before[:n])
		binary.BigEndian.PutUint32(short[5:], uint32(n-headerSize))
		_, _ = io.ReadAll(newFrameConn(pipe{r: bytes.NewReader(short)}))
	}
}

// preparedFrame is the answer to PREPARE of a statement with parameters (int, tuple<text, list<int>>, int).
func preparedFrame(hidden bool) []byte {
	str := func(s string) string { return string(binary.BigEndian.AppendUint16(nil, uint16(len(s)))) + s }
	tuple := "\x00\x31\x00\x02\x00\x0d\x00\x20\x00\x09"
	if hidden {
		tuple = "\x00\x00\x00\x06\x00\x0d\x00\x20\x00\x09"
	}
	body := "\x00\x00\x00\x04" + str("id") +
		"\x00\x00\x00\x01\x00\x00\x00\x03\x00\x00\x00\x01\x00\x00" + str("ks") + str("table") +
		str("a") + "\x00\x09" + str("b") + tuple + str("c") + "\x00\x09" +
		"\x00\x00\x00\x04\x00\x00\x00\x00"
	header := "\x84\x00\x00\x01\x08" + string(binary.BigEndian.AppendUint32(nil, uint32(len(body))))
	return []byte(header + body + "\x84\x00\x00\x02\x0c\x00\x00\x00\x03abc")
}

// pipe is the reading side of a connection.
type pipe struct {
	net.Conn
	r io.Reader
}

func (p pipe) Read(b []byte) (int, error) { return p.r.Read(b) }

// sink is the writing side of a connection.
type sink struct {
	net.Conn
	w io.Writer
}

func (s sink) Write(b []byte) (int, error) { return s.w.Write(b) }
