/** Thrown where a watch ends that its caller may go on with elsewhere, or by another call, from its last cursor. */
export class WatchStopped extends Error {
  override name = 'WatchStopped'
}

/**
 * The same where the database has not the event any more that was read last, as after a fail-over that lost the last
 * commits. Positions are given again then, and whoever read on would miss those that stand at them or before; whoever
 * calls again is told that its cursor is none of this database, or hears what follows it.
 */
export const eventIsLost = (): WatchStopped =>
  new WatchStopped('the last event that was read is not in the database any more')
