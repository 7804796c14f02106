/** A callback URL as logs may show it: without its last path segment, which is the payment's token, and what follows. */
export const maskCallbackUrl = (callbackUrl: string): string => {
  const { origin, pathname } = new URL(callbackUrl)
  return `${origin}${pathname.slice(0, pathname.lastIndexOf('/'))}/***`
}
