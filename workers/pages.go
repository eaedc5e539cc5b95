package workers

import "sync"

// What a batch holds lies in pages: a list that grows moves nothing, so that it never needs room for its old and its
// new self at once; what it takes is known to the byte; and pages that one chunk has left are taken by the next,
// whoever loads it.

// pageItems are the items of a list's page, pageBytes the bytes of a page of packed rows.
const (
	pageBits  = 13
	pageItems = 1 << pageBits
	pageBytes = 256 << 10
)

// pools keep pages that are not in use, until the garbage collector takes them. The zero value is empty. Safe for
// concurrent use.
type pools struct {
	entries, groups, slots, times, sources sync.Pool
	bytes                                  sync.Pool
}

// list holds items that contain no pointers. It must have a pool.
type list[T any] struct {
	pool  *sync.Pool // of pages: *[pageItems]T
	pages []*[pageItems]T
	n     int
}

func (l *list[T]) at(i int32) *T { return &l.pages[i>>pageBits][i&(pageItems-1)] }

func (l *list[T]) add(v T) {
	if l.n == len(l.pages)*pageItems {
		l.extend()
	}
	*l.at(int32(l.n)) = v
	l.n++
}

func (l *list[T]) extend() {
	page, ok := l.pool.Get().(*[pageItems]T)
	if !ok {
		page = new([pageItems]T)
	}
	l.pages = append(l.pages, page)
}

// resize makes the list n zero items long.
func (l *list[T]) resize(n int) {
	for len(l.pages)*pageItems < n {
		l.extend()
	}
	l.truncate(n)
	for _, page := range l.pages {
		clear(page[:])
	}
}

// truncate makes the list n items long, as they are, and gives back the pages behind them.
func (l *list[T]) truncate(n int) {
	l.n = n
	for kept := (n + pageItems - 1) / pageItems; len(l.pages) > kept; {
		last := len(l.pages) - 1
		l.pool.Put(l.pages[last])
		l.pages[last] = nil
		l.pages = l.pages[:last]
	}
}

// packs holds packed rows, or other strings of bytes, each in one piece. It must have a pool.
type packs struct {
	pool  *sync.Pool // of pages: *[pageBytes]byte
	pages [][]byte   // each as long as what it holds; a longer string than a page has one of its own
	size  int64      // capacity of all pages
}

// tail is empty, and what is appended to it may be kept without being copied.
func (p *packs) tail() []byte {
	if len(p.pages) == 0 || cap(p.last())-len(p.last()) < pageBytes/64 {
		p.extend(pageBytes)
	}
	page := p.last()
	return page[len(page):]
}

func (p *packs) last() []byte { return p.pages[len(p.pages)-1] }

// keep holds a string, which is what was appended to tail or any other, and says where it begins.
func (p *packs) keep(b []byte) uint32 {
	if len(p.pages) == 0 || cap(p.last())-len(p.last()) < len(b) {
		p.extend(len(b))
	}
	n := len(p.pages) - 1
	page := p.pages[n]
	at := len(page)
	if page = page[:at+len(b)]; len(b) > 0 && &page[at] != &b[0] {
		copy(page[at:], b)
	}
	p.pages[n] = page
	return uint32(n)*pageBytes + uint32(at)
}

// at is the string of n bytes that begins there.
func (p *packs) at(at uint32, n int32) []byte {
	page := p.pages[at/pageBytes]
	return page[at%pageBytes:][:n:n]
}

// extend adds a page for n bytes at least.
func (p *packs) extend(n int) {
	var page []byte
	if n > pageBytes {
		page = make([]byte, 0, n)
	} else if pooled, ok := p.pool.Get().(*[pageBytes]byte); ok {
		page = pooled[:0]
	} else {
		page = new([pageBytes]byte)[:0]
	}
	p.pages = append(p.pages, page)
	p.size += int64(cap(page))
}

// truncate drops all strings from the one that begins there on.
func (p *packs) truncate(at uint32) {
	for len(p.pages) > 0 && uint32(len(p.pages)-1)*pageBytes >= at {
		last := len(p.pages) - 1
		page := p.pages[last]
		p.size -= int64(cap(page))
		if cap(page) == pageBytes {
			p.pool.Put((*[pageBytes]byte)(page[:pageBytes]))
		}
		p.pages[last] = nil
		p.pages = p.pages[:last]
	}
	if n := len(p.pages); n > 0 && uint32(n-1) == at/pageBytes {
		p.pages[n-1] = p.pages[n-1][:at%pageBytes]
	}
}
