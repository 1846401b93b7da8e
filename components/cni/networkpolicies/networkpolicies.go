// Package networkpolicies is a CNI plugin after the one that gives a pod its
// address: it tells kagent's network-policies of the address, and returns when
// the pod's rules are in force. None of its containers runs before that.
//
// Spec: CNI 1.0.0, chained plugins; the words on the socket are of
// components/kubernetes/networkpolicies.
package networkpolicies

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/version"
)

const (
	// startTime is for a network-policies that is about to start, or to start anew.
	startTime = 30 * time.Second
	// addTime is more than it takes to say that the rules cannot be had.
	addTime   = 40 * time.Second
	pauseTime = 50 * time.Millisecond
)

type config struct {
	types.NetConf
	Socket string `json:"socket"`
}

// pod is as network-policies records it.
type pod struct {
	Namespace   string `json:"namespace,omitempty"`
	Name        string `json:"name,omitempty"`
	UID         string `json:"uid,omitempty"`
	ContainerID string `json:"containerID"`
	Address     string `json:"address,omitempty"`
}

type request struct {
	Add    *pod `json:"add,omitempty"`
	Remove *pod `json:"remove,omitempty"`
}

// Main is the plugin.
func Main() {
	skel.PluginMainFuncs(skel.CNIFuncs{
		Add:   add,
		Del:   remove,
		Check: func(*skel.CmdArgs) error { return nil },
	}, version.All, "CNI plugin network-policies of kagent")
}

func add(args *skel.CmdArgs) error {
	conf, result, err := read(args.StdinData)
	if err != nil {
		return err
	}
	for _, each := range result.IPs {
		if each.Address.IP.To4() == nil {
			continue
		}
		if err := tell(conf.Socket, request{Add: podOf(args, each.Address.IP.String())}, startTime); err != nil {
			return fmt.Errorf("network policies: %w", err)
		}
	}
	return types.PrintResult(conf.PrevResult, conf.CNIVersion)
}

// remove succeeds whatever it finds: the address is free either way, and is
// recorded anew when another pod gets it.
func remove(args *skel.CmdArgs) error {
	var conf config
	if err := json.Unmarshal(args.StdinData, &conf); err == nil {
		_ = tell(conf.Socket, request{Remove: &pod{ContainerID: args.ContainerID}}, 0)
	}
	return nil
}

func read(stdin []byte) (*config, *current.Result, error) {
	var conf config
	if err := json.Unmarshal(stdin, &conf); err != nil {
		return nil, nil, fmt.Errorf("configuration of network-policies: %w", err)
	}
	if err := version.ParsePrevResult(&conf.NetConf); err != nil {
		return nil, nil, err
	}
	if conf.PrevResult == nil {
		return nil, nil, errors.New("network-policies comes after a plugin that gives addresses")
	}
	result, err := current.NewResultFromResult(conf.PrevResult)
	return &conf, result, err
}

// podOf is what the runtime says of the pod: K8S_POD_NAME=web;K8S_POD_UID=…
func podOf(args *skel.CmdArgs, address string) *pod {
	values := map[string]string{}
	for pair := range strings.SplitSeq(args.Args, ";") {
		key, value, _ := strings.Cut(pair, "=")
		values[key] = value
	}
	return &pod{
		Namespace:   values["K8S_POD_NAMESPACE"],
		Name:        values["K8S_POD_NAME"],
		UID:         values["K8S_POD_UID"],
		ContainerID: args.ContainerID,
		Address:     address,
	}
}

// tell returns when the request is carried out. Nobody at the socket is waited
// for within a time.
func tell(socket string, asked request, within time.Duration) error {
	deadline := time.Now().Add(within)
	for {
		err := tellOnce(socket, asked)
		var unreached *net.OpError
		if !errors.As(err, &unreached) || unreached.Op != "dial" || time.Now().After(deadline) {
			return err
		}
		time.Sleep(pauseTime)
	}
}

func tellOnce(socket string, asked request) error {
	connection, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(addTime)); err != nil {
		return err
	}
	if err := json.NewEncoder(connection).Encode(asked); err != nil {
		return err
	}
	var said struct {
		Error string `json:"error"`
	}
	if err := json.NewDecoder(connection).Decode(&said); err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	if said.Error != "" {
		return errors.New(said.Error)
	}
	return nil
}
