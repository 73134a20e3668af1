/* How many processors this process may use: those that its affinity allows, limited by its control group's quota of
   time, and at least one. */
#define _GNU_SOURCE
#if defined(__unix__) || defined(__APPLE__)
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#endif

#include "processors.h"

#ifdef __linux__
/* The least quota of this folder and those above it; one that cannot be read counts as no limit. */
static double share_of(char *path, size_t root) {
    double least = 0;
    for (;;) {
        size_t end = strlen(path);
        long long quota = -1, period = 0;
        static const char files[][24] = {"/cpu.max", "/cpu.cfs_quota_us", "/cpu.cfs_period_us"};
        for (int i = 0; i < 3; i++) {
            snprintf(path + end, 32, "%s", files[i]);
            FILE *file = fopen(path, "r");
            if (!file) continue;
            if (i == 0 && fscanf(file, "%lld %lld", &quota, &period) != 2) quota = -1;
            if (i == 1 && fscanf(file, "%lld", &quota) != 1) quota = -1;
            if (i == 2 && fscanf(file, "%lld", &period) != 1) period = 0;
            fclose(file);
        }
        path[end] = 0;
        if (quota > 0 && period > 0) {
            double share = (double)quota / (double)period;
            if (least == 0 || share < least) least = share;
        }
        char *slash = strrchr(path, '/');
        if (end <= root || !slash) return least;
        *slash = 0;
    }
}

/* The processors whose time the control group may use; 0: no limit. */
static double share_of_group(void) {
    FILE *own = fopen("/proc/self/cgroup", "r");
    double least = 0;
    char line[4096];
    while (own && fgets(line, sizeof line, own)) {
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) continue;
        *group++ = 0;
        int second = *++controllers == 0; /* version 2: one group for all */
        if (!second && strcmp(controllers, "cpu") && strncmp(controllers, "cpu,", 4)) continue;
        const char *root = second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
        char path[4096 + 64];
        snprintf(path, sizeof path - 32, "%s%s", root, strcmp(group, "/") ? group : "");
        double share = share_of(path, strlen(root));
        if (share > 0 && (least == 0 || share < least)) least = share;
    }
    if (own) fclose(own);
    return least;
}
#endif

int nw_processors(void) {
    static int known; /* no race: two threads that ask at the same time get the same result */
    int found = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (found) return found;
    long count = 1; /* where there are no threads */
#if defined(__unix__) || defined(__APPLE__)
    count = sysconf(_SC_NPROCESSORS_ONLN);
#endif
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) count = CPU_COUNT(&set);
    double share = share_of_group();
    if (share > 0 && share < (double)count) count = (long)(share + 0.5);
#endif
    found = count < 1 ? 1 : (int)count;
    __atomic_store_n(&known, found, __ATOMIC_RELAXED);
    return found;
}

int nw_own_processors(int32_t *numbers, int room) {
    int count = 0;
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set)) return 0;
    for (int32_t number = 0; number < CPU_SETSIZE && count < room; number++)
        if (CPU_ISSET((size_t)number, &set)) numbers[count++] = number;
#else
    (void)numbers, (void)room;
#endif
    return count;
}

int nw_keep_on(int32_t processor) {
#ifdef __linux__
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)processor, &set);
    return sched_setaffinity(0, sizeof set, &set);
#else
    (void)processor;
    return -1;
#endif
}
