// Package kedatest holds the manifests against KEDA itself: its types decode every ScaledObject strictly, and its scaler
// runs on what stands there, against a real nats-server with the streams that penstock makes. It is a module of its own,
// since KEDA's scalers bring the client of every cloud along. `make keda-test` runs it.
package kedatest
