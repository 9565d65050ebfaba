package main

import "github.com/spf13/cobra"

func commands(w world) []*cobra.Command {
	return []*cobra.Command{
		initCommand(w), serveCommand(w), demoCommand(w),
		issueCommand(w), blanksCommand(w), uploadCommand(w), printCommand(w), verifyCommand(w), claimCommand(w), collisionsCommand(w), peopleCommand(w), policyCommand(w), relianceCommand(w), webhookCommand(w),
		occupationsCommand(w), statisticsCommand(w), importCommand(w), keyCommand(w), auditCommand(w), checkCommand(w), storeCommand(w),
		dumpCommand(w), restoreCommand(w), backupCommand(w),
		tortureCommand(w), benchCommand(w),
	}
}
