package kubedoctor

import "strings"

// The fields of Kubernetes' objects that matter here, by the names that they have there.

type meta struct {
	Name, Namespace     string
	Labels, Annotations map[string]string
	DeletionTimestamp   string
	OwnerReferences     []struct{ Kind, Name string }
}

type condition struct{ Type, Status, Reason, Message string }

func (c condition) String() string {
	return strings.TrimSuffix(strings.TrimPrefix(c.Reason+": "+c.Message, ": "), ": ")
}

type conditions []condition

// find gives the condition of a type; without one its status is "".
func (all conditions) find(name string) condition {
	for _, c := range all {
		if c.Type == name {
			return c
		}
	}
	return condition{}
}

type list[T any] struct{ Items []T }

// workload is a Deployment, StatefulSet, Job or CronJob.
type workload struct {
	Kind     string
	Metadata meta
	Spec     struct {
		Replicas    *int
		Selector    struct{ MatchLabels map[string]string }
		Template    struct{ Spec podSpec }
		JobTemplate struct {
			Spec struct {
				Template struct{ Spec podSpec }
			}
		}
	}
	Status struct {
		AvailableReplicas, Succeeded int
		Conditions                   conditions
	}
}

// String names it as people do: Kind/name.
func (w *workload) String() string { return w.Kind + "/" + w.Metadata.Name }

func (w *workload) pod() podSpec {
	if w.Kind == "CronJob" {
		return w.Spec.JobTemplate.Spec.Template.Spec
	}
	return w.Spec.Template.Spec
}

// component is what the manifests call it: dispatcher, worker, submitter; "" for what is not Penstock's own.
func (w *workload) component() string {
	if w.Metadata.Labels["app.kubernetes.io/name"] != "penstock" {
		return ""
	}
	return w.Metadata.Labels["app.kubernetes.io/component"]
}

// wanted is how many pods it should have.
func (w *workload) wanted() int {
	if w.Spec.Replicas == nil {
		return 1
	}
	return *w.Spec.Replicas
}

type podSpec struct {
	InitContainers, Containers []container
	Volumes                    []volume
}

type container struct {
	Name    string
	Args    []string
	Env     []variable
	EnvFrom []struct{ SecretRef, ConfigMapRef *keyRef }
	Ports   []struct {
		Name          string
		ContainerPort int
	}
	VolumeMounts []struct{ Name, MountPath string }
}

type variable struct {
	Name, Value string
	ValueFrom   struct{ SecretKeyRef, ConfigMapKeyRef *keyRef }
}

type keyRef struct {
	Name, Key string
	Optional  bool
}

type volume struct {
	Name              string
	Secret, ConfigMap *source
	Projected         struct {
		Sources []struct{ Secret, ConfigMap *source }
	}
}

// source is a Secret or ConfigMap as volumes name them; without items all keys are mounted.
type source struct {
	Name, SecretName string
	Items            []struct{ Key, Path string }
	Optional         bool
}

type pod struct {
	Metadata meta
	Spec     podSpec
	Status   struct {
		Phase, Reason, Message                   string
		Conditions                               conditions
		InitContainerStatuses, ContainerStatuses []containerStatus
	}
}

type containerStatus struct {
	Name             string
	Ready            bool
	RestartCount     int
	State, LastState struct {
		Waiting    *struct{ Reason, Message string }
		Terminated *termination
	}
}

type termination struct {
	ExitCode        int
	Reason, Message string
}

// has says that the pod carries the labels.
func (p *pod) has(labels map[string]string) bool {
	for k, v := range labels {
		if p.Metadata.Labels[k] != v {
			return false
		}
	}
	return len(labels) > 0
}

type scaledObject struct {
	Metadata meta
	Spec     struct {
		ScaleTargetRef                   struct{ Kind, Name string }
		MinReplicaCount, MaxReplicaCount *int
		Triggers                         []trigger
	}
	Status struct {
		Conditions          conditions
		ExternalMetricNames []string
		Health              map[string]struct{ Status string } // Happy or Failing, by metric
	}
}

func (o *scaledObject) String() string { return "ScaledObject/" + o.Metadata.Name }

type trigger struct {
	Type     string
	Metadata map[string]string
}

type apiService struct {
	Spec struct {
		Service *struct{ Name, Namespace string }
	}
	Status struct{ Conditions conditions }
}

type service struct {
	Metadata meta
	Spec     struct {
		ClusterIP string
		Selector  map[string]string
		Ports     []struct {
			Port       int
			TargetPort any // a number or a name
		}
	}
}

type configMap struct {
	Metadata         meta
	Data, BinaryData map[string]string
}

// k8ssandraCluster and datacenter are as the operator of K8ssandra keeps them.
type k8ssandraCluster struct {
	Metadata meta
	Status   struct {
		Conditions conditions
		Error      string
	}
}

type datacenter struct {
	Metadata meta
	Status   struct {
		Conditions                conditions
		CassandraOperatorProgress string
	}
}
