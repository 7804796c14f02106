/** An error that the person at this machine can fix: `npm start` prints its message without a stack. */
export class UserError extends Error {
  override name = 'UserError'
}
