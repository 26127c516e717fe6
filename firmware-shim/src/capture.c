/** Camera pictures: one is captured while another waits or is in use, so that the KPU never waits for the camera. */
#include "core.h"

uint8_t *k210b_plane(const k210b_t *shim, uint32_t plane)
{
    return shim->planes + plane * shim->plane_bytes;
}

static uint8_t find(const k210b_pipeline_t *pipeline, uint8_t state)
{
    for (uint8_t i = 0; i < K210B_PLANES; i++)
        if (pipeline->planes[i].state == state)
            return i;
    return K210B_NONE;
}

/** The newest picture wins: one that still waited is given up. */
static void finish(k210b_t *shim)
{
    k210b_pipeline_t *pipeline = &shim->pipeline;
    k210b_plane_t *plane = &pipeline->planes[pipeline->capturing];
    uint64_t time_us = 0;
    int result = shim->port->camera_done(shim->port->ctx, &plane->frame_id, &time_us);
    if (result == 0)
        return;
    uint8_t waiting = find(pipeline, K210B_PLANE_READY);
    if (result > 0 && waiting != K210B_NONE)
        pipeline->planes[waiting].state = K210B_PLANE_FREE;
    plane->state = result > 0 ? K210B_PLANE_READY : K210B_PLANE_FREE;
    /* The camera's clock is the poll's clock with more bits; ours counts from the first poll. */
    plane->capture_us = shim->time_us - (uint32_t)(shim->now_us - (uint32_t)time_us);
    pipeline->capturing = K210B_NONE;
}

static void start(k210b_t *shim)
{
    k210b_pipeline_t *pipeline = &shim->pipeline;
    uint8_t plane = find(pipeline, K210B_PLANE_FREE);
    if (plane == K210B_NONE)
        return;
    int result = shim->port->camera_start(shim->port->ctx, k210b_plane(shim, plane), shim->config.camera_width,
                                          shim->config.camera_height);
    if (result >= 0) {
        pipeline->planes[plane].state = K210B_PLANE_CAPTURING;
        pipeline->capturing = plane;
    } else if (!pipeline->camera_failed) {
        pipeline->camera_failed = 1;
        k210b_log(shim, K210B_LOG_ERROR, "camera does not start: ", result);
    }
}

void k210b_capture_poll(k210b_t *shim)
{
    k210b_pipeline_t *pipeline = &shim->pipeline;
    if (pipeline->capturing != K210B_NONE)
        finish(shim);
    if (k210b_pipeline_wants_picture(shim)) {
        if (pipeline->capturing == K210B_NONE)
            start(shim);
        return;
    }
    uint8_t waiting = find(pipeline, K210B_PLANE_READY);
    if (waiting != K210B_NONE)
        pipeline->planes[waiting].state = K210B_PLANE_FREE; /* too old for whoever asks next */
}

uint8_t k210b_capture_take(k210b_t *shim)
{
    uint8_t plane = find(&shim->pipeline, K210B_PLANE_READY);
    if (plane != K210B_NONE)
        shim->pipeline.planes[plane].state = K210B_PLANE_HELD;
    return plane;
}

void k210b_capture_release(k210b_t *shim, uint8_t plane)
{
    if (plane != K210B_NONE)
        shim->pipeline.planes[plane].state = K210B_PLANE_FREE;
}
