package main

import "testing"

// The files of every register that init accepts are found again by backupName: or
// none would ever be listed or removed.
func TestBackupNamesAreFoundAgain(t *testing.T) {
	for origin, want := range map[string]string{
		"https://zs.example.gov.cn":      "zs.example.gov.cn",
		"https://ZS.example.gov.cn:8443": "zs.example.gov.cn_8443",
		"http://[::1]:8080":              "___1__8080",
		"https://证书.example":             "__.example",
	} {
		host, err := backupHost(origin)
		parts := backupName.FindStringSubmatch(host + "-20260302T010000Z-0a1b2c3d.dump.zst")
		if err != nil || host != want || parts == nil || parts[1] != host {
			t.Errorf("%s: %q %v %q", origin, host, err, parts)
		}
	}
}
