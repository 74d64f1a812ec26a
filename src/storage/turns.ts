// Whose turn it is among jobs of different priority: the most urgent's, and of every four jobs one is for whoever waits
// longest. Pure; each queue counts its own turns.

/** Of so many jobs one is handed out by age alone. */
const TURN_OF_AGE = 4

/** How many of the next `count` turns, after `turn` of them, are for whoever waits longest. */
export function turnsOfAge(turn: number, count: number): number {
  return Math.floor((turn + count) / TURN_OF_AGE) - Math.floor(turn / TURN_OF_AGE)
}
