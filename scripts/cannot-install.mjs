/** What a person can mend: told without a stack. */
export class CannotInstall extends Error {
  constructor(message, exitCode = 1) {
    super(message)
    this.exitCode = exitCode
  }
}
