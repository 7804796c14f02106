/** What was tried in this process that would have left the machine. */
export declare const tried: string[]
