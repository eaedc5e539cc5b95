//go:build e2e

package e2e

import (
	"fmt"
	"html"
	"strings"
	"time"
)

// The picture's measures, in pixels.
const (
	width, height = 960, 360
	left, right   = 50, 60
	top, bottom   = 110, 40
)

// svg draws workers wanted and ready as steps, chunks as a line of its own scale, and notes as marks.
func (s *timeline) svg() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	end, chunks := time.Second, 1
	for _, p := range s.points {
		end, chunks = max(end, p.at), max(chunks, p.chunk)
	}
	x := func(at time.Duration) float64 { return left + float64(width-left-right)*at.Seconds()/end.Seconds() }
	y := func(value, of int) float64 {
		return height - bottom - float64(height-top-bottom)*float64(value)/float64(of)
	}
	steps := func(of int, value func(point) int) string {
		var b strings.Builder
		last := 0
		for _, p := range s.points {
			fmt.Fprintf(&b, "%.1f,%.1f %.1f,%.1f ", x(p.at), y(last, of), x(p.at), y(value(p), of))
			last = value(p)
		}
		return b.String()
	}
	const scale = mostWorkers + 1
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+
		`<rect width="100%%" height="100%%" fill="white"/>`, width, height)
	for n := range scale + 1 {
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f">%d</text>`,
			left, width-right, y(n, scale), y(n, scale), left-15, y(n, scale)+4, n)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#c60">%d chunks</text>`, width-right+2, top, chunks)
	for _, l := range []struct {
		color, dash string
		of          int
		value       func(point) int
	}{
		{"#c60", "", chunks, func(p point) int { return p.chunk }},
		{"#888", "4 3", scale, func(p point) int { return p.wanted }},
		{"#06c", "", scale, func(p point) int { return p.ready }},
	} {
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="1.5" stroke-dasharray="%s" points="%s"/>`,
			l.color, l.dash, steps(l.of, l.value))
	}
	for i, n := range s.notes {
		row := 12 + i%8*12 // so that texts do not lie upon one another
		fmt.Fprintf(&b, `<path d="M%.1f %dV%d" stroke="#bbb"/><text x="%.1f" y="%d">%s</text>`,
			x(n.at), height-bottom, row, x(n.at)+2, row, html.EscapeString(n.text))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d">workers wanted (dashed) and ready (blue), chunks waiting or in work (orange); `+
		`%.0f s in all</text></svg>`, left, height-12, end.Seconds())
	return b.String()
}
