package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/internal/kubedoctor"
)

// cluster is the installation on Kubernetes that doctor looks at, where it is asked to.
type cluster struct {
	asked              bool
	context, namespace string
}

func (k *cluster) addFlags(c *cobra.Command) {
	c.Flags().BoolVar(&k.asked, "kubernetes", false, "check an installation on Kubernetes instead, by kubectl")
	c.Flags().StringVar(&k.context, "context", "", "with --kubernetes: of the kubeconfig (default the current one)")
	c.Flags().StringVar(&k.namespace, "namespace", "penstock", "with --kubernetes: where the installation is")
}

// check finds flags that do not go together.
func (k *cluster) check(c *cobra.Command) error {
	changed := c.Flags().Changed
	switch {
	case k.asked && changed("role"):
		return usageError(fmt.Errorf("--role looks at NATS from here: expected it without --kubernetes"))
	case !k.asked && (changed("context") || changed("namespace")):
		return usageError(fmt.Errorf("--context and --namespace choose an installation: expected --kubernetes with them"))
	case k.namespace == "":
		return usageError(fmt.Errorf("--namespace is empty: expected where the installation is, such as penstock"))
	}
	return nil
}

// examine looks at the installation; the error is of a user who does not wait for that.
func (k *cluster) examine(ctx context.Context) ([]checkup, error) {
	var all []checkup
	for _, f := range kubedoctor.Examine(ctx, kubedoctor.Command(k.context), k.namespace) {
		all = append(all, checkup{Part: f.Part, OK: f.OK, Detail: f.Detail, Hint: f.Hint})
	}
	return all, ctx.Err()
}
