package report

import (
	"fmt"
	"html"
	"strings"
)

// The plot's measures, in pixels.
const (
	plotWidth  = 760
	nameWidth  = 130
	valueWidth = 110
	barHeight  = 18
	barStep    = 26
	titleStep  = 34
)

// part is a stretch of a bar.
type part struct {
	value float64
	color string
}

// bar is one tool's in a panel.
type bar struct {
	name  string
	parts []part
	label string
}

// SVG is a plot of one set: rows per second above, CPU-seconds below.
func (r Results) SVG() string {
	var rates, costs []bar
	for _, l := range r.lines() {
		if l.right == 0 {
			continue
		}
		rates = append(rates, bar{l.tool.Name, []part{{l.rate, "#2a6f97"}}, count(int64(l.rate))})
		costs = append(costs, bar{l.tool.Name, []part{{l.client, "#e09f3e"}, {l.server, "#9e2a2b"}},
			fmt.Sprintf("%.1f + %.1f", l.client, l.server)})
	}
	var body strings.Builder
	y := panel(&body, 0, "rows per second: more is better", rates)
	y = panel(&body, y, "CPU-seconds per million rows, client + server: less is better", costs)
	title := html.EscapeString(fmt.Sprintf("File %s: %s", r.Files.Name, r.Files.Title))
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" `+
		`font-family="sans-serif" font-size="13" role="img"><title>%s</title>`+"\n"+
		`<rect width="100%%" height="100%%" fill="#fff"/>`+"\n%s</svg>\n", plotWidth, y+10, title, body.String())
}

// panel draws bars below one another from y on, the longest as long as there is room, and returns where it ended.
func panel(b *strings.Builder, y int, title string, bars []bar) int {
	most := 0.0
	for _, each := range bars {
		most = max(most, each.length())
	}
	fmt.Fprintf(b, `<text x="10" y="%d" font-weight="bold">%s</text>`+"\n", y+22, html.EscapeString(title))
	y += titleStep
	for _, each := range bars {
		fmt.Fprintf(b, `<text x="10" y="%d">%s</text>`+"\n", y+14, html.EscapeString(each.name))
		x := float64(nameWidth)
		for _, p := range each.parts {
			width := p.value / most * (plotWidth - nameWidth - valueWidth)
			fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", x, y, width, barHeight, p.color)
			x += width
		}
		fmt.Fprintf(b, `<text x="%.1f" y="%d">%s</text>`+"\n", x+6, y+14, each.label)
		y += barStep
	}
	return y
}

func (b bar) length() float64 {
	sum := 0.0
	for _, p := range b.parts {
		sum += p.value
	}
	return sum
}
