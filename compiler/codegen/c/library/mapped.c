
int32_t @PREFIX@_open(@PREFIX@_model *model, const char *path) {
    struct stat status;
    if (!model || !path) return NETWRIGHT_NULL;
    int handle = open(path, O_RDONLY | O_CLOEXEC);
    if (handle < 0) return NETWRIGHT_CANNOT_READ;
    int32_t code = NETWRIGHT_CANNOT_READ;
    if (fstat(handle, &status) == 0) {
        size_t size = (size_t)status.st_size;
        if (!S_ISREG(status.st_mode) || size < HEAD) {
            code = NETWRIGHT_NO_WEIGHTS;
        } else {
            void *mapped = mmap(NULL, size, PROT_READ, MAP_PRIVATE, handle, 0);
            if (mapped != MAP_FAILED) {
                code = @PREFIX@_read(model, mapped, size);
                if (code) munmap(mapped, size);
                if (!code) model->mapped = mapped, model->mapped_bytes = size;
            }
        }
    }
    int reason = errno;
    close(handle);
    errno = reason;
    return code;
}

void @PREFIX@_close(@PREFIX@_model *model) {
    if (!model || !model->mapped) return;
    munmap(model->mapped, model->mapped_bytes);
    *model = constants;
}
