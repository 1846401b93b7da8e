/**
 * Of TLS 1.2, for kube-apiserver and kubelets, with Go's names: authenticated, with forward secrecy. TLS 1.3 has no other kind,
 * and its suites are not to be chosen. @see CIS Kubernetes Benchmark, "strong cryptographic ciphers"
 */
export const strongCipherSuites: readonly string[] = [
  'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', // the one that HTTP/2 must have
  'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256',
  'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256',
  'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
  'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384',
];
