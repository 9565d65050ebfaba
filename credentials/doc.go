// Package credentials holds the wire formats of a certificate and what can be
// said about them with no server: the QR token and its image, bitstring status
// lists, the signed directory, the key ring, and the verdict.
//
// Nothing here has a clock or a store; times and randomness are given.
package credentials
