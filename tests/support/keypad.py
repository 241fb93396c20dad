# SPDX-License-Identifier: Apache-2.0
"""A PKCS#11 module that stands before SoftHSM and gives its tokens a keypad: CKF_PROTECTED_AUTHENTICATION_PATH.

A login without a PIN takes the one "typed" into the file that KEYPAD_PIN names; a login with one fails. Everything
else goes through as it is: the function list of PKCS#11 v2.40 is a table in a fixed order, of which two are replaced.
"""

import subprocess
from pathlib import Path

_SOURCE = r"""
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long ul;
typedef struct { unsigned char version[2]; void *call[68]; } functions;
enum { GET_FUNCTION_LIST = 3, GET_TOKEN_INFO = 6, LOGIN = 18 };
enum { PIN_INCORRECT = 0xA0, PROTECTED_PATH = 0x100, FLAGS_AT = 96 };

static functions *real, ours;

static ul token_info(ul slot, unsigned char *info) {
    ul status = ((ul (*)(ul, unsigned char *))real->call[GET_TOKEN_INFO])(slot, info);
    if (status == 0) *(ul *)(info + FLAGS_AT) |= PROTECTED_PATH;
    return status;
}

static ul login(ul session, ul user, unsigned char *pin, ul size) {
    char typed[64] = "";
    FILE *file = fopen(getenv("KEYPAD_PIN"), "r");
    (void)size;
    if (pin || !file || !fgets(typed, sizeof typed, file)) { if (file) fclose(file); return PIN_INCORRECT; }
    fclose(file);
    return ((ul (*)(ul, ul, char *, ul))real->call[LOGIN])(session, user, typed, strlen(typed));
}

ul C_GetFunctionList(functions **list) {
    if (!real) {
        void *library = dlopen(REAL, RTLD_NOW | RTLD_LOCAL);
        ul (*get)(functions **) = library ? dlsym(library, "C_GetFunctionList") : NULL;
        if (!get || get(&real)) return 5;
        ours = *real;
        ours.call[GET_FUNCTION_LIST] = C_GetFunctionList;
        ours.call[GET_TOKEN_INFO] = token_info;
        ours.call[LOGIN] = login;
    }
    *list = &ours;
    return 0;
}
"""


def build(directory: Path, module: Path) -> Path:
    """Compile it in front of a module."""
    source, library = directory / "keypad.c", directory / "keypad.so"
    source.write_text(_SOURCE)
    command = ["gcc", "-shared", "-fPIC", "-O1", f'-DREAL="{module}"', "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True, timeout=60)
    return library
