package credentials

import (
	"slices"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

// Dir returns the ring's directory.
func (r *KeyRing) Dir() string { return r.dir }

// Generation counts the changes of the ring since it was made.
func (r *KeyRing) Generation() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.ring.Generation
}

// Code returns the registry's code.
func (r *KeyRing) Code() string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.ring.Code
}

// Signer returns a signer with the active key of a purpose. It signs with that
// key even after a rotation: ask anew for each piece of work. It fails
// (fail.NotFound, no_key) for a purpose without ES256 keys.
func (r *KeyRing) Signer(p jws.Purpose) (jws.Signer, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	k, ok := r.ring.key(p, jws.Active)
	if !ok {
		return nil, fail.New(fail.NotFound, "no_key", "there is no active key for %q", p).In("没有用途为 %s 的在用密钥", p)
	}
	return jws.NewSigner(k.KID, p, r.private[k.KID])
}

// Public returns all public keys with their states.
func (r *KeyRing) Public() jws.KeySet {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.public
}

// JWKS returns the JWK set of the given purposes (see [jws.KeySet.JWKS]).
func (r *KeyRing) JWKS(purposes ...jws.Purpose) []byte { return r.Public().JWKS(purposes...) }

// Secret returns a secret by name and version. It fails (fail.NotFound,
// no_secret).
func (r *KeyRing) Secret(name string, version int) ([]byte, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	secret, ok := r.secrets[ringSecret{Name: name, Version: version}.file()]
	if !ok {
		return nil, fail.New(fail.NotFound, "no_secret", "the key ring has no secret %s of version %d", name, version).In("密钥库中没有 %s 第 %d 版", name, version)
	}
	return slices.Clone(secret), nil
}

// Current returns the newest version of a secret and the secret; version 0 and
// nil for a name that is not one of the Secret constants.
func (r *KeyRing) Current(name string) (version int, secret []byte) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	version = r.ring.newest(name)
	return version, slices.Clone(r.secrets[ringSecret{Name: name, Version: version}.file()])
}

// Versions returns the versions of a secret, newest first.
func (r *KeyRing) Versions(name string) []int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var out []int
	for _, s := range r.ring.Secrets {
		if s.Name == name {
			out = append(out, s.Version)
		}
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out
}

// Sealing returns the key that seals personal data now, and its version.
func (r *KeyRing) Sealing() (version uint32, key [32]byte) { return r.current32(SecretSealing) }

// SealingVersion returns an older sealing key; false when there is none of that
// version.
func (r *KeyRing) SealingVersion(version uint32) ([32]byte, bool) {
	return r.version32(SecretSealing, version)
}

// Index returns the key that indexes documents now, and its version.
func (r *KeyRing) Index() (version uint32, key [32]byte) { return r.current32(SecretIndex) }

// IndexVersion returns an older index key; false when there is none of that
// version.
func (r *KeyRing) IndexVersion(version uint32) ([32]byte, bool) {
	return r.version32(SecretIndex, version)
}

// Permutation returns the key for [StatusPermutation]. It never changes, or
// places would collide.
func (r *KeyRing) Permutation() []byte {
	_, key := r.Current(SecretPermutation)
	return key
}

// CheckpointSeed returns the Ed25519 seed of the log's note key.
func (r *KeyRing) CheckpointSeed() [32]byte {
	_, seed := r.current32(SecretCheckpoint)
	return seed
}

func (r *KeyRing) current32(name string) (uint32, [32]byte) {
	version, secret := r.Current(name)
	return uint32(version), [32]byte(secret)
}

func (r *KeyRing) version32(name string, version uint32) ([32]byte, bool) {
	secret, err := r.Secret(name, int(version))
	if err != nil {
		return [32]byte{}, false
	}
	return [32]byte(secret), true
}
