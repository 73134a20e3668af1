#include "fourier.h"

void nw_fourier(const nw_fourier_table *table, void *numbers, int wide) {
    int64_t at = 0;
    for (int32_t n = 0; n < table->frame; n++) {
        for (int part = 0; part < 2; part++) {
            int32_t angle = 0, step = n % table->points;
            for (int32_t bin = 0; bin < table->bins; bin++, at++) {
                double number = table->turn[part][angle] * table->window[n];
                if (wide)
                    ((double *)numbers)[at] = number;
                else
                    ((float *)numbers)[at] = (float)number;
                angle += step;
                if (angle >= table->points) angle -= table->points;
            }
        }
    }
}
