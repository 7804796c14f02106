import type { z } from 'zod'

/** One setting of the environment: how its text is read, what stands for its absence, and its help text. */
export type Setting<Value> = {
  /** Reads the text; a refusal's message ends the sentence that starts with the variable's name. */
  parse: z.ZodType<Value, string>
  /** The text that stands for an absent variable; `null`: the setting is then null; none: the variable is required. */
  default?: string | null
  /** For the table in docs/settings.md: what it is for, with units. */
  help: string
  /** True for a value that must never be printed. */
  secret?: boolean
}
