/** One law broken in one place, and the test that must turn red. */
export type Mutant = {
  name: string
  law: number
  /** The file that is changed, and the replacements: each text stands there exactly once. */
  file: string
  changes: { find: string; replace: string }[]
  /** The test file, and a part of the name of the test, that must fail. */
  killedBy: { file: string; test: string }
}
