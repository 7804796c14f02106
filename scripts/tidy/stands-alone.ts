import { type Finding, matchesIn, type Rule } from './project.ts'

/** Places outside the project: absolute paths of one machine, and folders beside the checkout. */
const OUTSIDE = /(?<![\w.`-])(?:\/work|\/root|\/home\/\w+|\/Users\/\w+)(?=\/|\b)|\.\.\/shared\//g

/** The project stands alone: nothing in it names a place outside of it. */
export const standsAlone: Rule = (files) =>
  files
    // The rule and its test write down what nobody else may.
    .filter((file) => !/^(?:test\/)?scripts\/tidy/.test(file.path))
    .flatMap((file) =>
      matchesIn(file, OUTSIDE).map(
        ({ line, match }): Finding => ({
          path: file.path,
          line,
          problem: `"${match[0]}" is outside the project`,
        }),
      ),
    )
