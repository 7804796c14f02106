declare const brand: unique symbol

/** A `Base` that was checked: only the parser that knows the rule hands one out. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name }
