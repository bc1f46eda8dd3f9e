package endpoint

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/balancer/v3-backend-infra/local/cloud"
)

// CertificateFile is the file of the authority's certificate, to be trusted by a browser; keyFile holds the private
// key.
const (
	CertificateFile = "authority.pem"
	keyFile         = "authority-key.pem"
)

const (
	// authorityLifetime is how long the authority's own certificate is valid. People trust it in their browsers, so that it is short.
	authorityLifetime = 365 * 24 * time.Hour
	// minAuthorityLifetime is how much of that is left at least, or another authority is created.
	minAuthorityLifetime = 30 * 24 * time.Hour
)

// Authority is the certificate authority that issues ACM's certificates. It is created once for a directory and trusted
// only by local mode.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey

	mu     sync.Mutex
	issued map[string]*tls.Certificate
}

// OpenAuthority reads the authority from a directory, or creates it there with a key that only the owner can read. Its certificates are
// valid only for the domains and names below them: with its key, no one can sign for other sites. An authority that does not permit one
// of the domains, or permits all, or soon expires, is replaced; without domains, one that exists is used as it is.
func OpenAuthority(dir string, domains []string, now time.Time) (*Authority, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, CertificateFile), filepath.Join(dir, keyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return createAuthority(dir, domains, now)
	}
	if err != nil {
		return nil, fmt.Errorf("read the local authority in %s: %w", dir, err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("read the local authority in %s: its key is not an ECDSA key", dir)
	}
	if len(domains) > 0 && !usable(pair.Leaf, domains, now) {
		return createAuthority(dir, domains, now)
	}
	return newAuthority(pair.Leaf, key), nil
}

// usable reports whether an authority permits exactly names below some domains, the given ones among them, and does not expire soon.
func usable(authority *x509.Certificate, domains []string, now time.Time) bool {
	return now.Add(minAuthorityLifetime).Before(authority.NotAfter) && len(authority.ExcludedIPRanges) > 0 &&
		!slices.ContainsFunc(domains, func(domain string) bool { return !slices.Contains(authority.PermittedDNSDomains, domain) })
}

// everyAddress returns the ranges of all IP addresses: constraints on names do not limit certificates for addresses.
func everyAddress() []*net.IPNet {
	return []*net.IPNet{{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}, {IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}}
}

func newAuthority(certificate *x509.Certificate, key *ecdsa.PrivateKey) *Authority {
	return &Authority{certificate: certificate, key: key, issued: map[string]*tls.Certificate{}}
}

func createAuthority(dir string, domains []string, now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("create the local authority: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "deployer local authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(authorityLifetime), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: domains, ExcludedIPRanges: everyAddress(),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("create the local authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("create the local authority: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("create the local authority: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("write the local authority: %w", err)
	}
	for name, block := range map[string]*pem.Block{
		keyFile: {Type: "PRIVATE KEY", Bytes: private}, CertificateFile: {Type: "CERTIFICATE", Bytes: der},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, fmt.Errorf("write the local authority: %w", err)
		}
	}
	return newAuthority(certificate, key), nil
}

// Roots returns a pool that trusts only the authority.
func (a *Authority) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// Issue returns the certificate that a load balancer presents. It caches the certificates that it creates.
func (a *Authority) Issue(c cloud.Certificate) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := fmt.Sprint(c.ARN, c.Names, c.NotBefore.Unix(), c.NotAfter.Unix())
	if issued, found := a.issued[id]; found {
		return issued, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("issue a certificate for %v: %w", c.Names, err)
	}
	serial := sha256.Sum256([]byte(id))
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial[:16]), Subject: pkix.Name{CommonName: c.Names[0]}, DNSNames: c.Names,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("issue a certificate for %v: %w", c.Names, err)
	}
	issued := &tls.Certificate{Certificate: [][]byte{der, a.certificate.Raw}, PrivateKey: key}
	a.issued[id] = issued
	return issued, nil
}
