// Pins whose tests of its storage are run: see storage.test.ts.
module kagent.sh/test/storage

go 1.26.0

require k8s.io/apiserver v0.37.1
