/* A shared object that is no plugin. */
int stranger(void);
__attribute__((visibility("default"))) int stranger(void)
{
    return 1;
}
