package dispatcher

import (
	"bytes"
	"context"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/contracts"
)

// memory are objects by address, without a server. The content of each is its own key where nothing else is said.
type memory struct {
	objects  []contracts.Object
	data     map[string][]byte
	listFail map[string]error // by bucket, after its objects
	openFail map[string]error // by key
	opened   []string
}

func newMemory(addresses ...string) *memory {
	m := &memory{data: map[string][]byte{}, listFail: map[string]error{}, openFail: map[string]error{}}
	for _, a := range addresses {
		m.add(a, 10)
	}
	return m
}

func (m *memory) add(address string, size int64) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(address, "s3://"), "/")
	m.objects = append(m.objects, contracts.Object{Bucket: bucket, Key: key, ETag: "e1", Size: size})
	slices.SortFunc(m.objects, contracts.CompareObjects)
}

func (m *memory) List(_ context.Context, bucket, prefix, after string) iter.Seq2[contracts.Object, error] {
	return func(yield func(contracts.Object, error) bool) {
		for _, o := range m.objects {
			if o.Bucket == bucket && strings.HasPrefix(o.Key, prefix) && o.Key > after && !yield(o, nil) {
				return
			}
		}
		if err := m.listFail[bucket]; err != nil {
			yield(contracts.Object{}, err)
		}
	}
}

func (m *memory) Stat(_ context.Context, bucket, key string) (contracts.Object, error) {
	for _, o := range m.objects {
		if o.Bucket == bucket && o.Key == key {
			return o, nil
		}
	}
	return contracts.Object{}, contracts.At(contracts.KindMissing, "s3://"+bucket+"/"+key, -1, "not there")
}

func (m *memory) Open(_ context.Context, o contracts.Object, off, n int64) (io.ReadCloser, error) {
	m.opened = append(m.opened, o.Key)
	if err := m.openFail[o.Key]; err != nil {
		return nil, err
	}
	data := m.data[o.Key][off:]
	if n >= 0 {
		data = data[:min(n, int64(len(data)))]
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}
