package sink

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"feedgate/worker/credential"
	"feedgate/worker/flagset"
)

// ServerFlags are the flags that sinks that are servers share: their kinds list this group.
// What they name reaches a sink as [Credentials]. A registry always has the group, so that the
// flags are known, and refused, where no such sink is in use.
type ServerFlags struct {
	User         string `name:"sink-user" group:"sink" placeholder:"NAME" help:"Name to log in with."`
	PasswordFile string `name:"sink-password-file" group:"sink" placeholder:"FILE" help:"Password; no access for others; see SIGHUP."`
	CA           string `name:"sink-ca" group:"sink" placeholder:"FILE" help:"PEM certificates to trust [the system's]."`
	Cert         string `name:"sink-cert" group:"sink" placeholder:"FILE" help:"Client certificate, PEM."`
	Key          string `name:"sink-key" group:"sink" placeholder:"FILE" help:"Its key, PEM."`
}

// passwordFlag names the file with the password.
const passwordFlag = "--sink-password-file"

// tlsFlags are the flags that the files of Credentials.TLS come from.
var tlsFlags = credential.Flags{CA: "--sink-ca", Cert: "--sink-cert", Key: "--sink-key"}

// Credentials are what a sink logs in to its server with. Those of a process are shared by
// its sinks. They are read again on SIGHUP: a sink asks for them at each connection.
type Credentials struct {
	User     string
	Password *credential.Secret // nil: none
	TLS      *credential.TLS    // by default whom the system trusts, and no certificate

	passwordFile string
}

// Load reads the files. Its error has a line for each fault, which begins with the flag.
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

// Reload reads a part of the credentials again. On an error what was there stays in use.
type Reload struct {
	Flags string // that name the files
	Do    func() error
}

// Reloads are the parts of the credentials that come from files. The targets are those of the
// sinks that use them.
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

// Check finds the faults of the credentials that only their sinks know.
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

// warnUnencrypted logs that the password may be read on its way.
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

// ServerTitle is the heading of the flags of servers.
func (r Registry) ServerTitle() string {
	names := "this version has none"
	if servers := r.servers(); len(servers) > 0 {
		names = strings.Join(servers, ", ")
	}
	return "For sinks that are servers (" + names + "):"
}

// ServerHelp is the paragraph on them.
func (r Registry) ServerHelp() string {
	const which = "Sinks that are servers: "
	if len(r.servers()) == 0 {
		return which + "this version has none, so their flags are a usage error."
	}
	return which + "their flags are for --sink and --dead-letter. TLS is 1.2 or later, and always verified. " +
		"Certificates with a scheme without TLS are a usage error."
}

// servers are the first schemes of the sinks that are servers.
func (r Registry) servers() (all []string) {
	for i := range r {
		if r[i].isServer() {
			all = append(all, slices.Concat(r[i].Schemes, r[i].Secure)[0])
		}
	}
	return all
}

// begins are what a kind's URLs begin with.
func (k *Kind) begins() (all []string) {
	for _, scheme := range slices.Concat(k.Schemes, k.Secure) {
		all = append(all, k.begin(scheme))
	}
	return all
}

// begin is a scheme with what follows it in the kind's URLs: "exec:", "kafka://".
func (k *Kind) begin(scheme string) string {
	if _, rest, _ := strings.Cut(k.Form, ":"); strings.HasPrefix(rest, "//") {
		return scheme + "://"
	}
	return scheme + ":"
}
