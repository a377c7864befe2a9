SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  // The default asks a server of Swagger's to validate the document.
  validatorUrl: null,
});
