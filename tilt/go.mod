module github.com/penstock-io/penstock/tilt

go 1.26.0

require (
	github.com/goccy/go-yaml v1.19.2
	go.starlark.net v0.0.0-20260908191801-89a6a09411d5
)

require golang.org/x/sys v0.42.0 // indirect
