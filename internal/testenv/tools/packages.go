package tools

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// packages sees to java and, where the jars have to be fetched, mvn. It installs them on Debian and its kin when run by
// root, and says what to install elsewhere.
func (in Installer) packages(ctx context.Context) error {
	_, noJava := Java(ctx)
	_, noJars := CassandraJars()
	_, noMaven := exec.LookPath("mvn")
	if noJava == nil && (noJars == nil || noMaven == nil) {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("install JDK %d and Maven (on Debian, as root: apt-get install %s maven), or set JAVA_HOME: "+
			"Apache Cassandra needs them", oldestJava, jdkPackage(oldestJava))
	}
	return in.aptInstall(ctx)
}

// aptInstall takes JDK 17, or 21 where the distribution no longer has it.
func (in Installer) aptInstall(ctx context.Context) error {
	if err := in.apt(ctx, "update"); err != nil {
		return err
	}
	jdk := jdkPackage(oldestJava)
	if exec.CommandContext(ctx, "apt-cache", "show", jdk).Run() != nil {
		jdk = jdkPackage(newestJava)
	}
	if err := in.apt(ctx, "install", "-y", "--no-install-recommends", jdk, "maven"); err != nil {
		return err
	}
	_, err := Java(ctx)
	_, noMaven := exec.LookPath("mvn")
	return errors.Join(err, noMaven)
}

func jdkPackage(version int) string { return fmt.Sprintf("openjdk-%d-jdk-headless", version) }

func (in Installer) apt(ctx context.Context, args ...string) error {
	what := "apt-get " + args[0]
	return in.step(ctx, what, func() *exec.Cmd {
		cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-qq"}, args...)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		return cmd
	})
}
