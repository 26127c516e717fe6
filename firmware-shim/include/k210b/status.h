/** Results of every call: 0 or a count on success, one of these on failure. Minus the codes of protocol/status.ts. */
#ifndef K210B_STATUS_H
#define K210B_STATUS_H

enum {
    K210B_OK = 0,
    K210B_ERR_BAD_REQUEST = -1,       /**< a message or card that does not parse */
    K210B_ERR_UNKNOWN_MESSAGE = -2,
    K210B_ERR_VERSION = -3,
    K210B_ERR_RANGE = -4,             /**< an argument outside what the callee takes */
    K210B_ERR_NO_MEMORY = -5,         /**< the arena cannot hold it */
    K210B_ERR_BUSY = -6,
    K210B_ERR_NOT_FOUND = -7,
    K210B_ERR_HASH = -8,
    K210B_ERR_FLASH = -9,
    K210B_ERR_MODEL_FORMAT = -10,     /**< bytes that no valid kmodel has: lengths, ranges, registers */
    K210B_ERR_MODEL_VERSION = -11,    /**< a kmodel of another version than 3 or 4 */
    K210B_ERR_MODEL_UNSUPPORTED = -12,/**< a valid kmodel with an operation that this build lacks */
    K210B_ERR_SPACE = -13,            /**< the caller's buffer is too small */
    K210B_ERR_STATE = -14,            /**< a call out of turn */
    K210B_ERR_KPU = -15,              /**< the port refused or failed a layer */
    K210B_ERR_INTERNAL = -16
};

#endif
