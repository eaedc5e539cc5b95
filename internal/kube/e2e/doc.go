// Package e2e holds the test of Penstock on Kubernetes: what manifests/ describes, on a real node with real KEDA, under
// load, while pods come and go, against an oracle that shares no code with it. `make e2e` runs it inside a cluster of
// internal/kube; it is built with the tag e2e alone, so that nothing runs it elsewhere by mistake.
package e2e
