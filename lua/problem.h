/*
 * lua/problem.h - room for one line that says what is wrong with a script, and where in it.
 */
#ifndef LUA_PROBLEM_H
#define LUA_PROBLEM_H

enum { TLUA_PROBLEM_BYTES = 512 };

#endif
