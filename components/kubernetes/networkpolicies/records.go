package networkpolicies

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
)

// record is of a pod of this node that the CNI plugin has told of, before any
// of its containers runs.
type record struct {
	Namespace   string     `json:"namespace"`
	Name        string     `json:"name"`
	UID         string     `json:"uid"`
	ContainerID string     `json:"containerID"`
	Address     netip.Addr `json:"address"`
}

// staticPodUID is of a static pod's mirror: the UID by which the kubelet, and
// so the CNI plugin, knows the pod itself.
const staticPodUID = "kubernetes.io/config.hash"

// isOf tells a pod from an earlier one of the same name.
func (r record) isOf(object *corev1.Pod) bool {
	return r.UID == string(object.UID) || r.UID == object.Annotations[staticPodUID]
}

// records are kept in files, one an address, for as long as the host is up:
// pods outlive the process.
type records struct{ dir string }

func (r records) all() ([]record, error) {
	files, err := os.ReadDir(r.dir)
	if err != nil {
		return nil, err
	}
	var all []record
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(r.dir, file.Name()))
		if err != nil {
			return nil, err
		}
		var one record
		if err := json.Unmarshal(text, &one); err != nil {
			klog.Warningf("%s of %s is no record of a pod, and is left out: %v", file.Name(), r.dir, err)
			continue
		}
		all = append(all, one)
	}
	return all, nil
}

// put replaces whatever pod had this address.
func (r records) put(one record) error {
	text, err := json.Marshal(one)
	if err != nil {
		return err
	}
	path := filepath.Join(r.dir, one.Address.String())
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return fmt.Errorf("recording the pod's address: %w", err)
	}
	return os.Rename(path+".new", path)
}

func (r records) remove(one record) error {
	err := os.Remove(filepath.Join(r.dir, one.Address.String()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
