package networkpolicies

import (
	"encoding/binary"
	"hash/crc32"
	"net"
	"os"
	"strconv"
	"testing"
	"time"
)

// SCTP as far as connection tracking follows it: the first packet and its
// answer, by raw sockets, so that a kernel without SCTP of its own does.
const (
	rawSCTP       = "ip4:132"
	initChunk     = 1
	initAckChunk  = 2
	initiationTag = 7
)

// packet has one chunk. See RFC 9260, 3.1 and 3.3.2.
func packet(from, to uint16, tag uint32, chunk byte) []byte {
	data := make([]byte, 32)
	binary.BigEndian.PutUint16(data, from)
	binary.BigEndian.PutUint16(data[2:], to)
	binary.BigEndian.PutUint32(data[4:], tag)
	data[12] = chunk
	binary.BigEndian.PutUint16(data[14:], 20)
	binary.BigEndian.PutUint32(data[16:], initiationTag)
	binary.BigEndian.PutUint32(data[20:], 1500)
	binary.BigEndian.PutUint16(data[24:], 1)
	binary.BigEndian.PutUint16(data[26:], 1)
	binary.BigEndian.PutUint32(data[28:], 1)
	binary.LittleEndian.PutUint32(data[8:], crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
	return data
}

// serveSCTP answers at every port.
func serveSCTP() {
	packets, err := net.ListenPacket(rawSCTP, "0.0.0.0")
	if err != nil {
		panic(err)
	}
	data := make([]byte, 1500)
	for {
		length, from, err := packets.ReadFrom(data)
		if err == nil && length >= 32 && data[12] == initChunk {
			client, own := binary.BigEndian.Uint16(data), binary.BigEndian.Uint16(data[2:])
			_, _ = packets.WriteTo(packet(own, client, initiationTag, initAckChunk), from)
		}
	}
}

// connectSCTP ends with 0 if its packet is answered.
func connectSCTP(address string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		panic(err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		panic(err)
	}
	packets, err := net.ListenPacket(rawSCTP, "0.0.0.0")
	if err != nil {
		panic(err)
	}
	own := uint16(20000 + os.Getpid()%20000)
	_ = packets.SetDeadline(time.Now().Add(patience))
	_, _ = packets.WriteTo(packet(own, uint16(number), 0, initChunk), &net.IPAddr{IP: net.ParseIP(host)})
	data := make([]byte, 1500)
	for {
		length, _, err := packets.ReadFrom(data)
		if err != nil {
			os.Exit(1)
		}
		if length >= 32 && data[12] == initAckChunk && binary.BigEndian.Uint16(data[2:]) == own {
			os.Exit(0)
		}
	}
}

func TestSCTPPassesByItsPorts(t *testing.T) {
	s := newSite(t)
	for _, test := range []struct {
		name, policies string
		passes         map[string]bool
	}{
		{"no policy", "", map[string]bool{":7": true, ":10": true, ":12": true}},
		{"no SCTP", "{podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 7}]}]}", map[string]bool{}},
		{"a port and a range", "{podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{protocol: SCTP, port: 7}, {protocol: SCTP, port: 9, endPort: 11}]}]}",
			map[string]bool{":7": true, ":10": true}},
	} {
		s.apply(t, test.policies)
		for _, port := range []string{":7", ":10", ":12"} {
			if got := s.client.reaches("sctp", web+port); got != test.passes[port] {
				t.Errorf("%s: SCTP to %s passes: %t\n%s", test.name, port, got, nft(t, "list", "ruleset"))
			}
		}
	}
}
