package sink

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"feedgate/worker/credential"
	"feedgate/worker/flagset"
)

// ServerFlags are the flags of sinks that are servers, whose kinds list this group. Sinks get the
// contents of the files as [Credentials]. A registry always has the group, also without such a
// sink, so that the flags are known and an error explains them.
type ServerFlags struct {
	User         string `name:"sink-user" group:"sink" placeholder:"NAME" help:"Name to log in with."`
	PasswordFile string `name:"sink-password-file" group:"sink" placeholder:"FILE" help:"Password; no access for others; see SIGHUP."`
	CA           string `name:"sink-ca" group:"sink" placeholder:"FILE" help:"PEM certificates to trust [the system's]."`
	Cert         string `name:"sink-cert" group:"sink" placeholder:"FILE" help:"Client certificate, PEM."`
	Key          string `name:"sink-key" group:"sink" placeholder:"FILE" help:"Its key, PEM."`
}

// passwordFlag is the flag of PasswordFile.
const passwordFlag = "--sink-password-file"

// tlsFlags are the flags of the files of Credentials.TLS.
var tlsFlags = credential.Flags{CA: "--sink-ca", Cert: "--sink-cert", Key: "--sink-key"}

// Credentials are what a sink needs to log in to its server. The sinks of a process share them.
// Because SIGHUP rereads the files, a sink reads Password and TLS at each connection and keeps no
// copy.
type Credentials struct {
	User     string
	Password *credential.Secret // nil: none
	TLS      *credential.TLS    // default: the system's certificate authorities, no client certificate

	passwordFile string
}

// Load reads the files. Its error has a line for each fault, beginning with the flag.
func (f ServerFlags) Load() (c Credentials, err error) {
	var faults []error
	c.User = f.User
	if f.PasswordFile != "" {
		password, err := credential.ReadSecret(passwordFlag, f.PasswordFile)
		faults = append(faults, err)
		c.Password, c.passwordFile = credential.NewSecret(password), f.PasswordFile
	}
	c.TLS, err = credential.LoadTLS(tlsFlags, credential.Files{CA: f.CA, Cert: f.Cert, Key: f.Key})
	if err := errors.Join(append(faults, err)...); err != nil {
		return Credentials{}, err
	}
	return c, nil
}

// Reload rereads a part of the credentials.
type Reload struct {
	Flags string       // of the files
	Do    func() error // on an error, the old ones stay in use
}

// Reloads returns a Reload for each part of the credentials that comes from files. A new password
// is checked with the targets, those of the sinks in use.
func (c Credentials) Reloads(targets ...Target) (all []Reload) {
	if c.passwordFile != "" {
		all = append(all, Reload{passwordFlag, func() error {
			password, err := credential.ReadSecret(passwordFlag, c.passwordFile)
			if err != nil {
				return err
			}
			if err := checkPassword(password, targets); err != nil {
				return err
			}
			c.Password.Set(password)
			return nil
		}})
	}
	if c.TLS != nil && len(c.TLS.Given()) > 0 {
		all = append(all, Reload{strings.Join(c.TLS.Given(), ", "), c.TLS.Reload})
	}
	return all
}

// Check checks the password with the targets, those of the sinks in use.
func (c Credentials) Check(targets ...Target) error {
	if c.Password == nil {
		return nil
	}
	return checkPassword(c.Password.Bytes(), targets)
}

func checkPassword(password []byte, targets []Target) error {
	for _, t := range targets {
		if t.CheckPassword == nil {
			continue
		}
		if err := t.CheckPassword(password); err != nil {
			return fmt.Errorf("%s: %w", passwordFlag, err)
		}
	}
	return nil
}

// warnUnencrypted logs a warning if the password would leave this machine unencrypted.
func (cfg *Config) warnUnencrypted(t *Target) {
	if cfg.Password == nil || t.secure || !credential.LeaveHost(t.Hosts) {
		return
	}
	const text = "the login is sent unencrypted to another machine"
	if t.twin == "" {
		cfg.Log.Warn(text)
		return
	}
	cfg.Log.Warn(text, "encrypted_scheme", t.twin)
}

// isServer reports whether a kind takes the flags of servers.
func (k *Kind) isServer() bool { return flagset.Has(k.Flags, ServerFlags{}) }

// ServerTitle returns the heading of [ServerFlags] in the help.
func (r Registry) ServerTitle() string {
	names := "this version has none"
	if servers := r.servers(); len(servers) > 0 {
		names = strings.Join(servers, ", ")
	}
	return "For sinks that are servers (" + names + "):"
}

// ServerHelp returns the paragraph on [ServerFlags] in the help.
func (r Registry) ServerHelp() string {
	const which = "Sinks that are servers: "
	if len(r.servers()) == 0 {
		return which + "this version has none, so their flags are a usage error."
	}
	return which + "their flags are for --sink and --dead-letter. TLS is 1.2 or later, and always verified. " +
		"Certificates with a scheme without TLS are a usage error."
}

// servers returns the first scheme of each sink that is a server.
func (r Registry) servers() (all []string) {
	for i := range r {
		if r[i].isServer() {
			all = append(all, slices.Concat(r[i].Schemes, r[i].Secure)[0])
		}
	}
	return all
}

// begins returns the possible beginnings of the kind's URLs.
func (k *Kind) begins() (all []string) {
	for _, scheme := range slices.Concat(k.Schemes, k.Secure) {
		all = append(all, k.begin(scheme))
	}
	return all
}

// begin returns the beginning of the kind's URLs with a scheme: "exec:", "kafka://".
func (k *Kind) begin(scheme string) string {
	if _, rest, _ := strings.Cut(k.Form, ":"); strings.HasPrefix(rest, "//") {
		return scheme + "://"
	}
	return scheme + ":"
}
