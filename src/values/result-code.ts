/** M-PESA's result code as partners see it (guide): a number, or a string where it is not numeric. */
export const toWireResultCode = (code: string): number | string =>
  /^(0|[1-9]\d{0,14})$/.test(code) ? Number(code) : code
